"""Floor 0: what everything means. Pure values, rules and tables; no clock, no I/O, no randomness."""
