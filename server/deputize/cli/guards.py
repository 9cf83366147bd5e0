"""`deputize check --app`: which guards are in front of the routes of a site's app."""

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from deputize.cli.out import FAULT, UNUSABLE, fail, show
from deputize.protocol.policy import Policy
from deputize.protocol.tool import Executes, Tool

if TYPE_CHECKING:
    from deputize.app import Deputize


def guards(name: str, policy: Policy) -> None:
    """List each tool that the API executes with its guard in this app; ends the command if one has none (GUARD-8).

    An app that mounts no authority is an API elsewhere: its guards are compared with this policy.
    """
    from deputize.app import Deputize  # the other commands start without a web server
    from deputize.guard.routes import mounted

    app = _imported(name)
    authorities = [each for each in mounted(app) if isinstance(each, Deputize)]
    try:
        _look(name, app, authorities, policy)
    finally:  # a store that is left open looks like one after a crash (READY-5)
        for authority in authorities:
            asyncio.run(authority.aclose())


def _look(name: str, app: object, authorities: "list[Deputize]", policy: Policy) -> None:
    from deputize.guard import Unguarded
    from deputize.guard.routes import handler_routes
    from deputize.guard.start import survey

    there = dict.fromkeys(point.guard for route in handler_routes(app) for point in route.points())
    if not authorities and not there:
        fail(f"{name} mounts no authority, and has no guard: there is nothing to look at", UNUSABLE)
    needed = [tool for authority in authorities for tool in authority.guarded_here()]
    for authority in authorities:
        policy = authority.policy  # it has the tools that are declared from Python, too
        there[authority.guard] = None
    try:
        guarded = survey(app, there, needed)
    except Unguarded as error:
        for fault in error.faults:
            typer.echo(f"{name}: {fault}")
        raise typer.Exit(FAULT) from None
    if strange := sorted({each.tool for each in guarded} - policy.tools.keys()):
        fail(f"{name} has guards for {', '.join(strange)}, and the policy declares no such tool")
    typer.echo(f"\nIn {name}:\n")
    rows: list[tuple[str, str, str]] = [(each.tool, each.how, each.route) for each in guarded]
    rows += [
        (tool.name, *_without(tool, any(each.handles(tool.name) for each in authorities)))
        for tool in policy.tools.values()
        if tool.executes is Executes.API and not tool.public and tool.name not in {row[0] for row in rows}
    ]
    show(["tool", "guard", "in front of"], rows)


def _without(tool: Tool, handled: bool) -> tuple[str, str]:
    """Say why a tool needs no guard in this app: a handler runs it, or its API is elsewhere."""
    return ("handler", "") if handled else ("elsewhere", str(tool.endpoint or ""))


def _imported(name: str) -> object:
    from uvicorn.importer import ImportFromStringError, import_from_string

    sys.path.insert(0, "")  # as its server finds it
    try:
        return import_from_string(name)
    except ImportFromStringError as error:
        fail(str(error), UNUSABLE)
    except Exception as error:  # of the site's own module, or of a guard in it
        fail(f"{name} cannot be imported: {type(error).__name__}: {error}")
