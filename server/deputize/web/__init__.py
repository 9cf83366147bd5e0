"""Floor 2: HTTP in, HTTP out. Nothing is decided here; `service/` decides."""
