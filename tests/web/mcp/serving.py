"""One process of several that serve one bank from one database: `python -m tests.web.mcp.serving <folder> [port]`.

The folder has the policy and gets the database, and a line for each transfer. Its port is written to standard
output; `port` is that of the process whose address the policy names.
"""

import socket
import sys
from pathlib import Path

import uvicorn
from tests.bank import mounted
from tests.web.agents import LOCAL

from deputize import settings
from deputize.app import Deputize, HandledCall
from deputize.protocol.canonical import Json


def main(folder: Path, first: int | None) -> None:
    """Serve until the process is ended."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    text = (folder / "policy.toml").read_text().replace(LOCAL, f"http://localhost:{first or port}")
    deputize = Deputize(settings.loads(text.encode()), folder / "var")

    @deputize.handler("transfer_money")
    async def transfer_money(arguments: dict[str, Json], call: HandledCall) -> object:
        with (folder / "done").open("a") as done:
            done.write(f"{call.call_id}\n")
        return "sent"

    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(mounted(deputize), log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
