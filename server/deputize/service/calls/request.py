"""A call as it arrived, from a page or over MCP. What differs between the two stands in `Way`."""

from dataclasses import dataclass

from ...protocol.canonical import Json
from ...protocol.ids import CallId, Jkt, UserId
from ...protocol.tool import Executes
from ..ports import Proof
from .principal import Principal


@dataclass(frozen=True, slots=True)
class Way:
    """How calls come here.

    `via`: what the record calls it. `direct`: where no agent has named itself, the page asks (CALL-7); elsewhere it is
    the user himself (MCP-4). `waits`: a call waits for its approval, and an equal one finds it again (CALL-5, CALL-6);
    elsewhere evidence comes with the call, and each is a new one (MCP-9, MCP-11). `executes`: where all of them run;
    None is wherever the tool says. `widens`: who lacks a scope is told all that a wider grant has to have (MCP-7).
    """

    via: str | None
    direct: bool
    waits: bool
    executes: Executes | None
    widens: bool


PAGE = Way(via=None, direct=True, waits=True, executes=None, widens=False)
MCP = Way(via="mcp", direct=False, waits=False, executes=Executes.API, widens=True)


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call, or over MCP a challenge for one, parsed.

    `canonical` is the JCS form of the arguments, `args_s256` its hash. `page_jkt` is the page's key; an opaque agent's
    is the same, so that one proof is both (CALL-2). `delivered` are earlier calls whose results have reached the agent
    (CALL-10). `offered`: there is something of this name, where not every tool of the policy is (MCP-5). `here`: a
    handler in this process runs it.
    """

    way: Way
    principal: Principal
    tool: str
    arguments: dict[str, Json]
    canonical: bytes
    args_s256: str
    definition_s256: str
    page_jkt: Jkt | None = None
    delivered: tuple[CallId, ...] = ()
    offered: bool = True
    here: bool = False


@dataclass(frozen=True, slots=True)
class PageCall:
    """A request of a page about a call of its own: who is signed in, and the proof by the page's key (CALL-2)."""

    call_id: CallId
    user_id: UserId
    proof: Proof
