"""`python -m deputize` is the command `deputize`."""

import sys

from deputize.extras import NotInstalled, needing


def main() -> None:
    """Run the command, or say how it is installed."""
    try:
        named = sys.argv[1] if sys.argv[1:2] in (["agent"], ["guard"]) else "server"
        with needing(named):
            from deputize.cli import app
    except NotInstalled as missing:
        sys.exit(f"deputize: {missing}")
    app(prog_name="deputize")


if __name__ == "__main__":
    main()
