"""The command `deputize`: for agents or guards alone where only `deputize[agent]` or `deputize[guard]` is installed."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import deputize
from deputize.cli import agent, guard
from deputize.cli.options import GIVEN
from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.keys import KeyFileError
from deputize.extras import NotInstalled, needing
from deputize.protocol.errors import Refused
from deputize.service.faults import Locked, StoreFault


class _Commands(TyperGroup):
    """Ends a command with one line, not with a traceback, for an error that its owner can mend."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = super().get_command(ctx, cmd_name)
        if found is None and _MISSING is not None:
            fail(str(_MISSING), UNUSABLE)
        return found

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads the output has seen enough, and click ends quietly
        except NotInstalled as missing:
            fail(str(missing), UNUSABLE)
        except Refused as refused:
            if isinstance(refused.__cause__, Locked):
                fail(refused.__cause__.to_owner())
            fail(f"{refused} ({refused.__cause__})" if refused.__cause__ else str(refused))
        except Locked as locked:
            fail(locked.to_owner())
        except (OSError, KeyFileError, StoreFault) as error:
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
    operator: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Who gives this command, for the record; by default whoever is signed in to this machine.",
        ),
    ] = None,
) -> None:
    """Let agents act for users: know who calls, what the user allowed, and whether a human approved this very call."""
    GIVEN.set(operator)


_MISSING: NotInstalled | None = None
try:
    with needing("server"):
        from deputize.cli import owner
except NotInstalled as missing:
    _MISSING = missing
else:
    owner.add_to(app)
app.add_typer(guard.guard, name="guard")
app.add_typer(agent.agent, name="agent")
