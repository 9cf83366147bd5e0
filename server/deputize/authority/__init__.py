"""One authority under one policy: its parts, its tokens, its clock, and how a guard in its process asks it."""
