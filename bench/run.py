"""The command: `python bench/run.py [--json FILE] [--rounds N] [--seconds S] [--no-browser]`."""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # the modules beside this one are the package `bench`


def main() -> None:
    """Measure, print a table, and write the same as JSON where that was asked for."""
    parser = argparse.ArgumentParser(description="Measure speed against this machine's floor.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="length of one run (default: 3, at most 15)"
    )
    parser.add_argument("--no-browser", action="store_true", help="leave out what needs Chromium")
    given = parser.parse_args()
    if given.rounds < 1 or not 0 < given.seconds <= 15:  # proofs that are made before a run are good for 30 s
        parser.error("--rounds is at least 1, --seconds at most 15")

    from bench import suite

    suite.run(given.rounds, given.seconds, not given.no_browser, given.json)


if __name__ == "__main__":
    main()
