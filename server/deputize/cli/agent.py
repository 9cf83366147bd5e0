"""Commands for those who build agents: a key, the document that names it, and a user's consent."""

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import orjson
import typer

from deputize.cli.out import UNUSABLE, fail, when
from deputize.protocol import canonical
from deputize.protocol.canonical import Json, JsonError

if TYPE_CHECKING:
    from deputize.agent import DeviceCode

agent = typer.Typer(
    no_args_is_help=True,
    help="Make what an agent needs: key, document, a user's consent.",
)

ClientId = Annotated[
    str, typer.Option("--client-id", metavar="URL", help="The https URL at which the agent's document is.")
]
_CALLBACK = "http://127.0.0.1/callback"
_TOKENS = Path("agent.tokens")


@agent.command()
def keygen(file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file of the key.")]) -> None:
    """Make a key for an agent, in a file that only its owner can read, and print its thumbprint."""
    from deputize.agent import AgentKey  # the other commands start without an HTTP client

    key = AgentKey.generate()
    try:
        key.save(file)
    except FileExistsError:
        fail(f"{file} is there already, and was left as it is", UNUSABLE)
    typer.echo(key.thumbprint)


@agent.command()
def cimd(
    keyfile: Annotated[Path, typer.Argument(metavar="KEYFILE", help="The agent's key.")],
    client_id: ClientId,
    name: Annotated[str, typer.Option(help="What users read.")],
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="Where the browser returns to. May be given several times."),
    ] = None,
    scope: Annotated[str | None, typer.Option(help="All scopes that the agent will ever ask for.")] = None,
) -> None:
    """Print the Client ID Metadata Document to publish at the client id."""
    from deputize.agent import AgentKey, client_document

    with _told():
        key = AgentKey.load(keyfile)
        document = client_document(client_id, name, [key], redirect_uri or [], scope)
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


@agent.command()
def login(
    issuer: Annotated[
        str, typer.Argument(metavar="ISSUER", help="The authority, https://site.example/deputize.")
    ],
    client_id: ClientId,
    key: Annotated[Path, typer.Option(help="The file of the agent's key.")],
    scope: Annotated[str, typer.Option(help="What to ask for, separated by spaces.")],
    tokens: Annotated[Path, typer.Option(help="The file to keep the tokens in.")] = _TOKENS,
    limits: Annotated[
        Path | None, typer.Option(help="A file with authorization_details (JSON): limits to ask for.")
    ] = None,
    device: Annotated[
        bool, typer.Option("--device", help="Let the user decide on another device, with a code.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the browser, or only print the URL to go to.")] = True,
    redirect_uri: Annotated[
        str, typer.Option(help="The loopback redirect URI that the agent's document has.")
    ] = _CALLBACK,
) -> None:
    """Ask a user to deputize the agent, and keep the tokens in a file that only its owner can read."""
    from deputize.agent import AgentClient, AgentKey, TokenFile

    with _told(), AgentClient(issuer, client_id, AgentKey.load(key), TokenFile(tokens)) as client:
        details = None if limits is None else _details(limits)
        if device:
            got = client.device(scope, _show_code, details)
        else:
            show = _open if browser else _show
            got = client.login(scope, details, redirect_uri=redirect_uri, show=show)
        typer.echo(f"{got.user_id} lets {client_id} have: {got.scope}")
        typer.echo(f"In {tokens}, good until {when(got.expires_at)} and then renewed.", err=True)


@contextmanager
def _told() -> Iterator[None]:
    """End the command with one line if the authority refuses, or a file or an argument is wrong."""
    from deputize.agent import AgentError

    try:
        yield
    except (AgentError, ValueError) as error:
        fail(str(error))


def _details(path: Path) -> list[dict[str, Json]]:
    try:
        value = canonical.parse(path.read_bytes())
    except JsonError:
        value = None
    if not isinstance(value, list) or not all(isinstance(detail, dict) for detail in value):
        fail(f"{path} is not a list of authorization_details in JSON")
    return cast("list[dict[str, Json]]", value)


def _show(url: str) -> None:
    typer.echo(f"The user decides at\n\n  {url}\n\nWaiting …", err=True)


def _open(url: str) -> None:
    _show(url)
    webbrowser.open(url)


def _show_code(code: "DeviceCode") -> None:
    typer.echo(
        f"On any device the user opens {code.verification_uri} and types\n\n  {code.user_code}\n\n"
        f"or opens {code.verification_uri_complete}\n\nWaiting {code.expires_in // 60} minutes …",
        err=True,
    )
