"""Sentences for people: made last, of structure, in the reader's language, from one catalogue (`en.ftl` and others)."""
