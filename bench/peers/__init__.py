"""Peers on the same machine, core and client: what others have that does a part of the same."""
