"""The guard as a reverse proxy, in front of an API in any language (PROTOCOL §7a)."""
