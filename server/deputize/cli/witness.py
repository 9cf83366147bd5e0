"""`deputize witness`: cosign the records of others, so that nobody can show two histories of one (LOG-10)."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deputize.cli.listening import connections, listen
from deputize.cli.options import HOST, Host, Port
from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.note import NoteError, Verifier

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from deputize.cli.witnessing import Witness

_MOST = 64 * 1024  # bytes of a request


def witness(
    name: Annotated[
        str, typer.Option(help="Your name as a witness, a URL without its scheme: witness.example/harbor")
    ],
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="The key of a record, `deputize log key`. May be given several times."
        ),
    ] = None,
    keep: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where your key and the newest checkpoints are kept.")
    ] = Path("witnessed"),
    serve: Annotated[bool, typer.Option("--serve", help="Answer logs, until interrupted.")] = False,
    host: Host = HOST,
    port: Port = 8081,
) -> None:
    """Print your key as a witness, and with --serve cosign the records of others, whose keys you know.

    You keep the newest checkpoint of each, and cosign a newer one only if it continues that: whoever wants your
    cosignature can be shown no other history than you and everybody else. It needs no data but its folder.
    """
    from deputize.cli.witnessing import Witness

    try:
        known = [Verifier.parse(each) for each in log or ()]
    except NoteError:
        fail("--log is not a record's key: write name+hash+base64, as `deputize log key` does", UNUSABLE)
    try:
        here = Witness(name, keep, known)
    except NoteError:
        fail("--name has a space or a plus in it", UNUSABLE)
    except ValueError:
        fail(f"{keep} does not hold the key of a witness", UNUSABLE)
    typer.echo(here.verifier.vkey())
    if not serve:
        return
    if not known:
        fail("say whose records: --log, with what `deputize log key` prints there", UNUSABLE)
    from deputize.cli.serving import Limits, server, settle

    listener = listen(host, port)
    running = server(app_of(here), Limits(connections()))
    settle()
    running.run(sockets=[listener])


def app_of(witness: "Witness") -> "Starlette":
    """Return the app that answers as a witness: what it is asked, and what it has cosigned last."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def add(request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST:
                return PlainTextResponse("too long", 413)
        answer = witness.add(bytes(body), int(time.time()))
        kind = "text/x.tlog.size" if answer.status == 409 else "text/plain"
        return Response(answer.text, answer.status, {"content-type": kind})

    async def newest(request: Request) -> Response:
        note = witness.newest(request.path_params["hashed"])
        return PlainTextResponse(note or "", 200 if note else 404)

    return Starlette(
        routes=[Route("/add-checkpoint", add, methods=["POST"]), Route("/{hashed}/checkpoint", newest)]
    )
