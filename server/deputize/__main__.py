"""`python -m deputize` is the command `deputize`."""

import sys

from deputize.extras import NotInstalled, needing


def main() -> None:
    """Run the command, or say how it is installed."""
    try:
        with needing("agent" if sys.argv[1:2] == ["agent"] else "server"):
            from deputize.cli import app
    except NotInstalled as missing:
        sys.exit(f"deputize: {missing}")
    app(prog_name="deputize")


if __name__ == "__main__":
    main()
