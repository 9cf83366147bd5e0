"""Commands over the policy file."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli.guards import guards
from deputize.cli.options import POLICY
from deputize.cli.out import FAULT, UNUSABLE, fail, show
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.login import Tickets
from deputize.protocol.policy import Policy
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Executes, Tool
from deputize.settings import PolicyError, load


def read_policy(path: Path) -> Policy:
    """Load a policy for a command that needs one; ends the command if there is none, or it has faults."""
    try:
        return _load(path)
    except PolicyError as error:
        count = len(error.faults)
        fail(f"{path} has {count} fault{'s' * (count > 1)}; `deputize check {path}` names them")


def _load(path: Path) -> Policy:
    """Load a policy; PolicyError, or ends the command if there is none."""
    try:
        return load(path)
    except FileNotFoundError:
        fail(f"there is no {path}; `deputize init {path}` writes one", UNUSABLE)


def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = POLICY) -> None:
    """Write a policy file to begin with, in which each key is explained. A file that exists is left alone."""
    template = (files("deputize.settings") / "template.toml").read_bytes()
    try:
        with path.open("xb") as file:
            file.write(template)
    except FileExistsError:
        fail(f"{path} is there already, and was left as it is", UNUSABLE)
    typer.echo(f"{path} is written. Make it yours, then: deputize check {path}")


def check(
    path: Annotated[Path, typer.Argument(help="The policy file.", envvar="DEPUTIZE_POLICY")] = POLICY,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:APP", help="The site's app, as uvicorn takes it: list its guards too."),
    ] = None,
) -> None:
    """Name every fault of a policy file; if there is none, say who may do what.

    Each fault is one line, `path:line: key: what is wrong`, and the exit code is 1 if there is any. With `--app`, the
    site's app is imported and looked over as when it starts: each guard is listed, and it is a fault if a tool that the
    API executes has none.
    """
    try:
        policy = _load(path)
    except PolicyError as error:
        for fault in error.faults:
            typer.echo(f"{path}:{fault}")
        raise typer.Exit(FAULT) from None
    _summarize(policy)
    if app is not None:
        guards(app, policy)


def _summarize(policy: Policy) -> None:
    site = policy.site
    typer.echo(f"{site.name}: {site.origin}")
    typer.echo(f"deputize answers at {site.issuer}, with passkeys for {site.rp_id}.\n")
    if policy.login is not None:
        there = "tickets of" if isinstance(policy.login.by, Tickets) else "the OpenID provider"
        also = ", or by passkey alone" if policy.login.passkeys else ""
        typer.echo(f"Where it stands alone, users sign in by {there} {policy.login.by.where}{also}.\n")
    show(
        ["tool", "who may call", "approval", "passkey", "in", "scopes"],
        ([tool.name, *_rules(tool, policy), str(tool.scopes)] for tool in policy.tools.values()),
    )
    typer.echo("\nAn agent may, once a user has consented. Any other tool is refused.")
    agents = _agents(policy)
    if any(not tool.public and not tool.direct and not _open(tool, policy) for tool in policy.tools.values()):
        typer.echo('"nobody": no agent that it is open to may have all of its scopes, see [agents].')
    if _lacks_keys(policy):
        typer.echo(
            "[api] has no keys, so no guard in another process lets a call through: see `deputize guard keygen`."
        )
    typer.echo()
    show(["agent", "known by", "scopes at most"], ([*who, str(most)] for *who, most in agents))
    typer.echo()
    show(
        ["scope", "for agents", "writes", "what users read"],
        (
            [
                scope.name,
                "yes" if any(scope.name in most for *_, most in agents) else "no",
                "yes" if scope.writes else "no",
                scope.title,
            ]
            for scope in policy.scopes.values()
        ),
    )


def _lacks_keys(policy: Policy) -> bool:
    """Tell whether a guard in another process is needed, and the authority knows the key of none (GUARD-8)."""
    here = policy.guarded_here()
    return not policy.api.keys and any(
        tool.executes is Executes.API and not tool.public and tool not in here
        for tool in policy.tools.values()
    )


def _agents(policy: Policy) -> list[tuple[str, str, ScopeSet]]:
    """List who may be an agent, how it is known, and what it may have at most (AGENT-2)."""
    ceiling = policy.ceiling
    return [
        ("any in a user's browser", "that browser", ceiling.opaque),
        *((f"any of {origin}", "keys at that origin", ceiling.origin) for origin in sorted(ceiling.origins)),
        *((client_id, "keys in this file", most) for client_id, most in ceiling.registered.items()),
        *(
            (f"any that says it is of {origin}", "not at all", ceiling.opaque & ceiling.origin)
            for origin in sorted(ceiling.origins)
            if policy.bearer  # BEARER-2
        ),
    ]


def _open(tool: Tool, policy: Policy) -> bool:
    """Tell whether any agent may call a tool: may have its scopes (AGENT-2), and is of a kind that may (AGENT-3)."""
    ceiling = policy.ceiling
    attested = [*([ceiling.origin] if ceiling.origins else []), *ceiling.registered.values()]
    return any(tool.scopes <= most for most in (*([ceiling.opaque] if tool.opaque else []), *attested))


def _rules(tool: Tool, policy: Policy) -> tuple[str, str, str, str]:
    if tool.public:
        return "anybody", "", "", "page"
    callers = ["agent"] if _open(tool, policy) else []
    asked = {"never": "never", "always": "each call", "when": "some calls"}[tool.approval.name]
    if tool.direct:  # CALL-7
        callers.append("user")
        asked = {"never": "own calls", "when": "own, some others"}.get(tool.approval.name, asked)
    roaming = tool.authenticator_class is AuthenticatorClass.CROSS_PLATFORM
    passkey = "" if asked == "never" else "phone or key" if roaming else "any"
    return ", ".join(callers) or "nobody", asked, passkey, tool.executes.value
