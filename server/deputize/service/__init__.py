"""Floor 1: the use cases. Load, decide, record, commit."""
