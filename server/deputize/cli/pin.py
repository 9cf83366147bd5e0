"""`deputize pin`: the owner reads how a page describes its tools to agents, and holds it to that (PIN-1, PIN-2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli.changes import Seen, Tool, bare, compared, keep, kept, replace_file, told
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import FAULT, UNUSABLE, fail
from deputize.cli.policy import read_policy
from deputize.extras import needing
from deputize.protocol.definition import Definition


def pin(
    urls: Annotated[
        list[str],
        typer.Argument(help="The page, as it is opened in a browser, or several.", metavar="URL..."),
    ],
    path: PolicyPath = POLICY,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing; exit with 1 if a pinned tool is described otherwise, or is not there.",
        ),
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

    With `--check`, for CI, nothing is written: the exit code is 1 if a pinned tool is described otherwise now, or if no
    page that is named has it. So name all pages that have tools.
    """
    with needing("testing"):
        from deputize.testing import definitions
    policy = read_policy(path)
    said: dict[str, Definition] = {}
    ungated: set[str] = set()
    for url in urls:
        try:
            described = definitions.read(url, rest, _until_it_shows if headed else None)
        except definitions.NotRead as error:
            fail(f"{url}: {error}", UNUSABLE)
        found = len(described.gated)
        typer.echo(f"{url} registers {found} tool{'s' * (found != 1)} through deputize.")
        said |= {each.s256: each for each in described.gated}
        ungated.update(described.ungated)
    tools = compared(said.values(), policy, kept(path))
    for tool in tools:
        typer.echo("")
        for line in told(tool):
            typer.echo(line)
    for name in sorted(ungated):
        typer.echo(f"\n{bare(name)}: runs without the gate, so that no pin holds it")
    now: dict[str, list[str]] = {}
    for tool in tools:
        now.setdefault(tool.said.name, []).append(tool.said.s256)
    gone = [name for name, tool in policy.tools.items() if tool.pinned and name not in now]
    for name in gone:
        typer.echo(f"\n{name}: pinned, and not there")
    if check:
        _checked([tool.said.name for tool in tools if tool.is_changed], gone)
        return

    def holds(tool: Tool) -> bool:
        return tool.is_pinned and (also or set(tool.pinned) <= {*now[tool.said.name]})

    new = [tool for tool in tools if not tool.why_not and not holds(tool)]
    if not new:
        typer.echo(f"\nThere is nothing to pin: {path} is left as it is.")
        return
    names = ", ".join(dict.fromkeys(tool.said.name for tool in new))
    if not yes and not typer.confirm(f"\nHave you read this, and is the page to be held to it ({names})?"):
        fail(f"nothing is pinned, and {path} is left as it is")
    pins = {
        tool.said.name: tuple(dict.fromkeys((*now[tool.said.name], *(tool.pinned if also else ()))))
        for tool in new
    }
    _write(path, pins, said)
    typer.echo(f"{path} pins {names}. An authority that runs by it does so from the next request on.")


def _until_it_shows() -> None:
    typer.prompt("Press Enter when the page shows the tools", default="", show_default=False)


def _checked(changed: list[str], gone: list[str]) -> None:
    for what, names in (("Described otherwise than pinned", changed), ("Pinned, and on no page", gone)):
        if names:
            typer.echo(f"\n{what}: {', '.join(dict.fromkeys(names))}")
    if changed or gone:
        raise typer.Exit(FAULT)
    typer.echo("\nAll that is pinned is there, and nothing is described otherwise.")


def _write(path: Path, pins: Mapping[str, tuple[str, ...]], said: Seen) -> None:
    """Write what was seen before what rests on it."""
    from deputize.settings import loads
    from deputize.settings.pinning import pinned

    try:
        data = pinned(path.read_bytes(), pins)
        policy = loads(data)
    except ValueError as error:
        fail(f"{path}: {error}")
    still = {digest for tool in policy.tools.values() for digest in tool.pinned}
    keep(path, {digest: each for digest, each in {**kept(path), **said}.items() if digest in still})
    replace_file(path, data)
