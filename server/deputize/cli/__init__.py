"""The command `deputize`."""

import sqlite3
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import deputize
from deputize.cli import agent, data, policy, record, run
from deputize.cli.out import fail
from deputize.crypto.keys import KeyFileError
from deputize.protocol.errors import Refused
from deputize.store.migrations import NewerDatabase
from deputize.store.place import Displaced


class _Commands(TyperGroup):
    """Ends a command with one line where its surroundings fail it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads the output has seen enough, and click ends quietly
        except Refused as refused:
            fail(f"{refused} ({refused.__cause__})" if refused.__cause__ else str(refused))
        except (OSError, sqlite3.Error, KeyFileError, NewerDatabase, Displaced) as error:
            fail(str(error))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deputize {deputize.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Who calls, what the user allowed, and whether a human approved this very call."""


app.command()(policy.init)
app.command()(policy.check)
app.command()(run.serve)
app.command()(run.demo)
app.add_typer(data.users, name="users")
app.add_typer(data.agents, name="agents")
app.add_typer(data.grants, name="grants")
app.add_typer(data.passkeys, name="credentials")
app.add_typer(data.keys, name="keys")
app.add_typer(record.log, name="log")
app.add_typer(agent.agent, name="agent")
