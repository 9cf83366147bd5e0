"""How much is tried: all with THOROUGH in the environment (`make thorough`), otherwise what a change can wait for."""

import os

THOROUGH = "THOROUGH" in os.environ


def tries(usual: int, thorough: int) -> int:
    """Return how often something is tried: where chance has a part in it, every run tries something else."""
    return thorough if THOROUGH else usual
