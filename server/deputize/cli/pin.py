"""`deputize pin`: the owner reads how a page describes its tools to agents, and holds it to that (PIN-1, PIN-2)."""

from pathlib import Path
from typing import Annotated

import typer

from deputize.cli.changes import Tool, bare, compared, keep, kept, replace_file, told
from deputize.cli.out import FAULT, UNUSABLE, fail
from deputize.cli.policy import POLICY, PolicyPath, read_policy
from deputize.extras import needing


def pin(
    url: Annotated[str, typer.Argument(help="The page, as it is opened in a browser.", metavar="URL")],
    path: PolicyPath = POLICY,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 1 if a pinned tool is described otherwise."),
    ] = False,
    also: Annotated[
        bool,
        typer.Option(
            "--also", help="Keep what is pinned as well: for other languages, and for what is deployed."
        ),
    ] = False,
    headed: Annotated[
        bool,
        typer.Option("--headed", help="Show the browser, and go on when you press Enter: to sign in first."),
    ] = False,
    rest: Annotated[
        float,
        typer.Option(min=0, max=60, help="Seconds without a new tool after which the page is complete."),
    ] = 2,
) -> None:
    """Show how a page describes its tools to agents, and hold it to that: write the digests into the policy.

    The page is opened in a Chromium of its own. You read what each tool says of itself (name, description, schema), and
    what has changed since it was pinned. From then on a call of a tool that a page describes otherwise is refused with
    `definition_changed`. What you have seen is kept beside the policy, in `deputize.definitions.json`, to compare with.

    With `--check`, for CI, nothing is written: the exit code is 1 if a pinned tool is described otherwise now.
    """
    with needing("testing"):
        from deputize.testing import definitions
    policy = read_policy(path)
    try:
        described = definitions.read(url, rest, _until_it_shows if headed else None)
    except definitions.NotRead as error:
        fail(f"{url}: {error}", UNUSABLE)
    tools = compared(described.gated, policy, kept(path))
    typer.echo(f"{url} registers {len(tools)} tool{'s' * (len(tools) != 1)} through deputize.")
    for tool in tools:
        typer.echo("")
        for line in told(tool):
            typer.echo(line)
    for name in described.ungated:
        typer.echo(f"\n{bare(name)}: runs without the gate, so that no pin holds it")
    changed = [tool for tool in tools if tool.is_changed]
    if check:
        _checked(changed)
        return
    new = [
        tool for tool in tools if not tool.why_not and (not tool.is_pinned or (tool.has_others and not also))
    ]
    if not new:
        typer.echo(f"\nThere is nothing to pin: {path} is left as it is.")
        return
    names = ", ".join(tool.said.name for tool in new)
    if not yes and not typer.confirm(f"\nHave you read this, and is the page to be held to it ({names})?"):
        fail(f"nothing is pinned, and {path} is left as it is")
    _write(path, new, also)
    typer.echo(f"{path} pins {names}. An authority that runs by it does so from the next request on.")


def _until_it_shows() -> None:
    typer.prompt("Press Enter when the page shows the tools", default="", show_default=False)


def _checked(changed: list[Tool]) -> None:
    if changed:
        names = ", ".join(tool.said.name for tool in changed)
        typer.echo(f"\nDescribed otherwise than pinned: {names}")
        raise typer.Exit(FAULT)
    typer.echo("\nNothing is described otherwise than pinned.")


def _write(path: Path, new: list[Tool], also: bool) -> None:
    """Write what was seen before what rests on it."""
    from deputize.settings import loads
    from deputize.settings.pinning import pinned

    pins = {tool.said.name: (tool.said.s256, *(tool.pinned if also else ())) for tool in new}
    try:
        data = pinned(path.read_bytes(), pins)
        policy = loads(data)
    except ValueError as error:
        fail(f"{path}: {error}")
    seen = {**kept(path), **{tool.said.s256: tool.said for tool in new}}
    still = {digest for tool in policy.tools.values() for digest in tool.pinned}
    keep(path, {digest: said for digest, said in seen.items() if digest in still})
    replace_file(path, data)
