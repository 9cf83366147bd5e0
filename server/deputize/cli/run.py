"""The commands that run something: `deputize serve` and `deputize demo`."""

import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deputize.cli.data import VAR, Data
from deputize.cli.listening import connections, listen
from deputize.cli.options import HOST, POLICY, Host, PolicyPath, Port
from deputize.cli.out import UNUSABLE, fail
from deputize.cli.policy import read_policy
from deputize.extras import needing

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from deputize.log.log import Log


def serve(
    policy: PolicyPath = POLICY,
    data: Data = VAR,
    host: Host = HOST,
    port: Port = 8000,
    new_keys: Annotated[
        bool,
        typer.Option("--new-keys", help="Make new keys where keys.json was lost, and the database was not."),
    ] = False,
    new_record: Annotated[
        bool,
        typer.Option("--new-record", help="Begin a new database where that was lost, and keys.json was not."),
    ] = False,
    new_head: Annotated[
        bool,
        typer.Option(
            "--new-head",
            help="Begin a new file for the newest checkpoint, where that was lost and nothing else.",
        ),
    ] = False,
) -> None:
    """Serve the authority alone, for a site that does not mount it, until interrupted.

    It speaks HTTP: TLS ends at a proxy in front of it. Whatever that proxy says, the authority is reached at the
    policy's `issuer`; only the policy's `trusted_proxies` are believed about where a request comes from.
    """
    settings = read_policy(policy)
    # The other commands start without a web server.
    from deputize.app import LostData, PutBack, build
    from deputize.fetching.addresses import is_loopback
    from deputize.log.log import Log

    listener = listen(host, port)
    if settings.single_user is not None and not is_loopback(listener.getsockname()[0]):  # MCP-4
        listener.close()
        fail(
            f"the policy has [mcp] single_user, so this serves one person on this machine, and {host} lets "
            "others in. Use --host 127.0.0.1, or take single_user out.",
            UNUSABLE,
        )
    log = Log()
    try:
        app = build(policy, data, log=log, new_keys=new_keys, new_record=new_record, new_head=new_head)
    except (LostData, PutBack) as lost:
        listener.close()
        fail(str(lost), UNUSABLE)
    _run(app, log, listener, f"{settings.site.issuer} answers on {host} port {listener.getsockname()[1]}.")


def _run(app: "ASGIApp", log: "Log", listener: socket.socket, greeting: str) -> None:
    """Serve an app whose authority writes to this log, within the limits of DOOR-6, until interrupted."""
    from deputize.cli.serving import Limits, ToLog, server, settle

    logging.getLogger().addHandler(ToLog(log))
    running = server(app, Limits(connections()))
    settle()
    with suppress(OSError):  # standard error may be closed
        typer.echo(greeting, err=True)
    running.run(sockets=[listener])


def demo(
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Serve the story's bank, for you to use, instead of playing the story."),
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="With --serve: the port to listen on.")] = 8000,
    data: Annotated[Path, typer.Option(help="With --serve: folder of its databases, keys and policy.")] = VAR,
    shots: Annotated[Path | None, typer.Option(help="Folder for pictures of the dialogs.")] = None,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser.")] = False,
) -> None:
    """Play the story of one call in a real browser, and narrate it. The exit code is 0 if all comes out as told."""
    if serve:
        _serve_demo(port, data)
        return
    with needing("testing"):
        from deputize.demo import story
    raise typer.Exit(story.run(shots, headed))


def _serve_demo(port: int, data: Path) -> None:
    """Serve Harbor, the demo's bank, until interrupted."""
    from deputize.app import LostData
    from deputize.demo import site
    from deputize.log.log import Log

    listener, log = listen("localhost", port), Log()
    try:
        harbor = site.build(data, port, log=log)
    except ValueError as error:
        fail(str(error))
    except LostData as lost:
        fail(f"{lost.what}: bring it back from a backup, or name another folder by --data.", UNUSABLE)
    greeting = f"""Harbor is open at {harbor.url}, and keeps everything under {data}.
On its page is an agent to try. For a browser whose own agents can use it, too:
    chromium --enable-features=WebMCP {harbor.url}"""
    _run(harbor.app, log, listener, greeting)
