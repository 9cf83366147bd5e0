"""`deputize guard`: a reverse proxy that guards an API in any language, and its key."""

import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from deputize.cli import key_file
from deputize.cli.listening import connections, listen
from deputize.cli.options import HOST, POLICY, Host, PolicyPath, Port
from deputize.cli.out import UNUSABLE, fail, show
from deputize.extras import needing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from deputize.protocol.policy import Policy
    from deputize.protocol.tool import Tool

guard = typer.Typer(help="Guard an API in any language: as a proxy in front of it; and make a guard's key.")

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the key.")]
_KEY, _MAKER = Path("guard.jwk"), "deputize guard keygen"


@guard.callback(invoke_without_command=True)
def proxy(
    context: typer.Context,
    upstream: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The API, on this machine: http://127.0.0.1:3000, or unix:/run/api.sock."
        ),
    ] = "",
    policy: PolicyPath = POLICY,
    key: Annotated[Path, typer.Option(help="The file of the guard's key.")] = _KEY,
    origin: Annotated[
        str | None,
        typer.Option(help="Which origin of the API this is, where the policy has endpoints at several."),
    ] = None,
    host: Host = HOST,
    port: Port = 8080,
) -> None:
    """Guard the endpoints that the policy names, and pass everything else on, until interrupted.

    `deputize guard --upstream http://127.0.0.1:3000` is a reverse proxy: what it passes on of a call has a header by
    which the API verifies it.
    """
    if context.invoked_subcommand is not None:
        return
    if not upstream:
        fail("say where the API is: deputize guard --upstream http://127.0.0.1:3000", UNUSABLE)
    with needing("guard"):
        _serve(upstream, policy, key, origin, host, port)


@guard.command()
def keygen(file: KeyFile = _KEY) -> None:
    """Make a key for a guard, in a file that only its owner can read, and print the line for [api] in the policy.

    Where the policy has [[api.keys]] already, the key is another one of these.
    """
    from deputize.crypto import jwk_file

    typer.echo(jwk_file.line("keys", key_file.make(file)))


@guard.command()
def public(file: KeyFile = _KEY) -> None:
    """Print the public half of a guard's key as a JWK: by it, the API behind a proxy verifies what it is told."""
    from deputize.crypto import jwk_file

    typer.echo(orjson.dumps(jwk_file.public(key_file.load(file, _MAKER))))


def _serve(upstream: str, policy: Path, keyfile: Path, origin: str | None, host: str, port: int) -> None:
    from deputize.cli.passing import Passing, quiet
    from deputize.cli.policy import read_policy
    from deputize.cli.serving import Limits, server, settle
    from deputize.guard.proxy.app import Proxy
    from deputize.guard.proxy.following import guarding
    from deputize.guard.proxy.upstream import Upstream

    try:
        behind = Upstream.parse(upstream)
    except ValueError as error:
        fail(str(error), UNUSABLE)
    key = key_file.load(keyfile, _MAKER)
    _check(read_policy(policy), policy, key, keyfile, origin)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="deputize: %(message)s")
    logging.getLogger("uvicorn.error").addFilter(quiet)
    app: Proxy = guarding(policy, key, behind, origin)
    listener = listen(host, port)
    # Each needs a file, and so does its way to the upstream, and perhaps one to the authority.
    running = server(app, Limits(connections(4), request=60), Passing, dated=False)
    settle()
    with suppress(OSError):  # standard error may be closed
        typer.echo(f"{upstream} is guarded at {host} port {listener.getsockname()[1]}.", err=True)
    running.run(sockets=[listener])


def _check(
    policy: "Policy", path: Path, key: "EllipticCurvePrivateKey", keyfile: Path, origin: str | None
) -> None:
    """Say what is guarded; end the command where nothing would be, or where the authority would not know this guard."""
    from deputize.crypto import jwk_file
    from deputize.crypto.jwt import jwk_of
    from deputize.protocol.jwk import thumbprint

    endpoints = list(policy.endpoints(origin))
    if not endpoints:
        at = f" at {origin}" if origin else ""
        fail(
            f'{path} names no endpoint{at} to guard; in a tool, write: endpoint = "POST /api/transfers"',
            UNUSABLE,
        )
    origins = sorted({policy.api.origin(endpoint) for endpoint, _ in endpoints})
    if len(origins) > 1:
        fail(
            f"the endpoints in {path} are at {', '.join(origins)}; say by --origin which of them this is",
            UNUSABLE,
        )
    if thumbprint(jwk_of(key.public_key())) not in map(thumbprint, policy.api.keys):
        fail(
            f"the authority does not know {keyfile}; under [api] in {path}, write: {jwk_file.line('keys', key)}",
            UNUSABLE,
        )
    show(["tool", "endpoint"], ([tool.name, str(endpoint)] for endpoint, tool in endpoints))
    if others := [tool.name for tool in policy.tools.values() if _is_unplaced(tool)]:
        typer.echo(f"\nWithout an endpoint, so no proxy guards it: {', '.join(others)}")


def _is_unplaced(tool: "Tool") -> bool:
    from deputize.protocol.tool import Executes

    return tool.executes is Executes.API and not tool.public and tool.endpoint is None
