"""Options that several commands have."""

from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer

PolicyPath = Annotated[Path, typer.Option("--policy", envvar="DEPUTIZE_POLICY", help="The policy file.")]
POLICY = Path("deputize.toml")
"""Where the policy file is unless an option says otherwise."""

Host = Annotated[str, typer.Option(help="The address to listen on.")]
HOST = "127.0.0.1"
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any free one.")]

GIVEN: ContextVar[str | None] = ContextVar("GIVEN", default=None)
"""The name after `deputize --as`, of who gives an owner's command."""
