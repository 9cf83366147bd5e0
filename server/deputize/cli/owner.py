"""The commands of who runs an authority; those of who builds agents are in `agent.py`."""

import typer

from deputize.cli import (
    agents,
    backup,
    grants,
    keeping,
    keys,
    passkeys,
    pin,
    policy,
    record,
    run,
    users,
    witness,
)


def add_to(app: typer.Typer) -> None:
    """Add them all."""
    running = (policy.init, policy.check, pin.pin, run.serve, run.demo, witness.witness)
    for command in (*running, keeping.sweep, backup.backup, backup.restore):
        app.command()(command)
    app.add_typer(users.users, name="users")
    app.add_typer(agents.agents, name="agents")
    app.add_typer(grants.grants, name="grants")
    app.add_typer(passkeys.passkeys, name="credentials")
    app.add_typer(keys.keys, name="keys")
    app.add_typer(record.log, name="log")
