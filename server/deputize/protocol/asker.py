"""Who asks a person for something, as far as that is proven, and what it says of itself: `words/asker.py` says it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, cast

from .agent import Agent, Assurance, is_opaque_id
from .grant import Grant
from .value import value


class Proof(StrEnum):
    """What is known of who asks."""

    BROWSER = "browser"
    ORIGIN = "origin"
    REGISTERED = "registered"
    UNPROVEN = "unproven"
    PAGE = "page"
    USER = "user"


@value
class Asker:
    """Who asks. `name` is the one that the user consented to; one that the grant was handed on to has none, but a
    `giver`."""

    proof: Proof
    client_id: str = ""
    name: str = ""
    giver: "Asker | None" = None


def agent_as(client_id: str, assurance: str, name: str = "", unproven: bool = False) -> Asker:
    """Tell of an agent: of an opaque one, its id says whether it is a key in a browser (AGENT-1)."""
    if not unproven and assurance != Assurance.OPAQUE:
        return Asker(Proof(assurance), client_id, name)
    return Asker(Proof.BROWSER if is_opaque_id(client_id) else Proof.UNPROVEN, client_id, name)


def asker_of(agent: Agent | None, lineage: Sequence[Grant], on_page: bool) -> Asker:
    """Tell who makes a call under the first grant of a lineage; with no agent the page, or the user himself."""
    if agent is None:
        return Asker(Proof.PAGE if on_page else Proof.USER)
    grant, given = (lineage[0], lineage[-1]) if lineage else (None, None)
    consented = cast("Mapping[str, str]", given.shown.get("agent", {})) if given else {}
    name = consented.get("name", agent.name)
    unproven = grant is not None and grant.unproven
    if given is grant:
        return agent_as(agent.client_id, agent.assurance, name, unproven)
    assert given is not None
    by = agent_as(given.client_id, consented.get("assurance", Assurance.OPAQUE), name, given.unproven)
    return replace(agent_as(agent.client_id, agent.assurance, unproven=unproven), giver=by)


def shown_as(shown: Mapping[str, Any]) -> Asker:
    """Read who asks out of what is signed (GRANT-2)."""
    agent = cast("Mapping[str, str]", shown["agent"])
    return agent_as(agent["client_id"], agent["assurance"], agent.get("name", ""), "unproven" in shown)
