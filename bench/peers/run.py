"""The command: `python bench/peers/run.py [--sep FOLDER] [--json FILE] [--rounds N] [--seconds S]`."""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[2])  # `bench` is a package there


def main() -> None:
    """Measure us and our peers, and print a table."""
    parser = argparse.ArgumentParser(
        description="Measure us beside node-oidc-provider and SEP-2672's server."
    )
    parser.add_argument("--sep", type=Path, metavar="FOLDER", help="a built checkout of SEP-2672's server")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="length of one run (default: 3, at most 15)"
    )
    given = parser.parse_args()
    if given.rounds < 1 or not 0 < given.seconds <= 15:  # proofs that are made before a run are good for 30 s
        parser.error("--rounds is at least 1, --seconds at most 15")

    from bench.peers import suite

    suite.run(given.rounds, given.seconds, given.sep and given.sep.resolve(), given.json)


if __name__ == "__main__":
    main()
