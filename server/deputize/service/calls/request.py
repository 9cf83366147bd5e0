"""A call as it arrived: who calls what, from a page or over MCP. What differs between the two stands in `Way`."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from ...protocol.canonical import Json
from ...protocol.definition import Described
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.ids import CallId, ClientId, Jkt, UserId
from ...protocol.proof import Proof
from ...protocol.token import Delegation
from ...protocol.tool import Executes, Tool
from ...protocol.value import value
from ..ports import Tx

NOBODY = Refusal(Code.LOGIN_REQUIRED, "Nobody is signed in. Ask the user to sign in, then call again.")
WRONG_USER = Refusal(Code.WRONG_USER, "Another user is signed in than the one who deputized this agent.")


@value
class Principal:
    """Who calls: the delegation whose grant decides, and the proofs that a transaction has to spend.

    `present` is who is signed in on the page, or connected over MCP, if anybody is. Without a delegation it is this
    user himself: by the page (CALL-7), or on a machine that only he uses (MCP-4). With `unproven`, the message came
    from an agent that never proved who it is (BEARER-4). `connection` is the delegation of an MCP connection, without
    whose grant nothing can be done over it (MCP-2).
    """

    present: UserId | None
    delegation: Delegation | None
    proofs: tuple[Proof, ...] = ()
    unproven: bool = False
    connection: Delegation | None = None

    @property
    def in_band(self) -> bool:
        """Tell whether a message over MCP names its agent itself: another connection would mend nothing (MCP-3)."""
        return self.delegation is not self.connection

    @property
    def user_id(self) -> UserId:
        """Return whose calls these are; Refused(login_required) where nobody is there."""
        user_id = self.delegation.user_id if self.delegation else self.present
        if user_id is None:
            raise Refused.of(NOBODY)
        return user_id

    @property
    def client_id(self) -> ClientId | None:
        """Return the agent's id, None for the user himself."""
        return self.delegation.client_id if self.delegation else None

    def approves(self, tool: Tool) -> bool:
        """Tell whether calls of this tool may need an approval over MCP, when they come from here (MCP-5)."""
        return tool.annotated or (self.unproven and not tool.public)

    def spend(self, tx: Tx) -> bool:
        """Use the proofs up (PROOF-2); False if one was used before."""
        used = [tx.use_proof(proof) for proof in self.proofs]  # each of them, also after the first that was
        return all(used)


@dataclass(frozen=True, slots=True)
class Way:
    """How calls come here.

    `via`: what the record calls it. `direct`: where no agent has named itself, the page asks (CALL-7); elsewhere it is
    the user himself (MCP-4). `waits`: a call waits for its approval, and an equal one finds it again (CALL-5, CALL-6);
    elsewhere evidence comes with the call, and each is a new one (MCP-9, MCP-11). `unasked`: so does one that needs no
    approval, unless it is safe. `executes`: where all of them run; None is wherever the tool says. `widens`: who lacks
    a scope is told all that a wider grant has to have (MCP-7).
    """

    via: str | None
    direct: bool
    waits: bool
    unasked: bool
    executes: Executes | None
    widens: bool


PAGE = Way(via=None, direct=True, waits=True, unasked=True, executes=None, widens=False)
MCP = Way(via="mcp", direct=False, waits=False, unasked=False, executes=Executes.API, widens=True)
MCP_ASKING = replace(MCP, waits=True)
"""The user is asked on the authority's own page, since whoever calls can bring no evidence (MCP-15)."""


@value
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

    @property
    def described(self) -> Described:
        """Return how its agent was told of the tool."""
        return Described.of(self.tool, self.definition_s256, self.page_jkt)

    @property
    def is_direct(self) -> bool:
        """Tell whether the page asks by itself: nobody knows who made it do so (CALL-7)."""
        return self.way.direct and self.principal.delegation is None


@value
class PageCall:
    """A request of a page about a call of its own: who is signed in, and the proof by the page's key (CALL-2)."""

    call_id: CallId
    user_id: UserId
    proof: Proof


@value
class OwnCall:
    """A request of the call's own user, who is signed in himself, on a page of the authority's (APPR-12).

    No key of the page that made the call is asked for: that binds who goes on with it, not who answers.
    """

    call_id: CallId
    user_id: UserId


Approver: TypeAlias = PageCall | OwnCall
"""Who answers a call that waits: its user in the page that made it, or on the authority's own page."""

Executor: TypeAlias = PageCall | Proof | None
"""Who runs an approved call: the page that made it; a guard, by its proof; or, None, this process (GUARD-3)."""
