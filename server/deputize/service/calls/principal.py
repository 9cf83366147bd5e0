"""Who calls, as far as the request itself proves it (CALL-1, CALL-2, MCP-2)."""

from dataclasses import dataclass

from ...protocol.errors import Code, Refusal, Refused
from ...protocol.ids import ClientId, UserId
from ...protocol.token import Delegation
from ...protocol.tool import Tool
from ..ports import Proof, Tx

NOBODY = Refusal(Code.LOGIN_REQUIRED, "Nobody is signed in. Ask the user to sign in, then call again.")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the delegation whose grant decides, and the proofs that a transaction has to spend.

    `present` is who is signed in on the page, or connected over MCP, if anybody is. Without a delegation it is this
    user himself: by the page (CALL-7), or on a machine that only he uses (MCP-4). With `unproven`, the message came
    from an agent that never proved who it is (BEARER-4); with `in_band`, it names its agent itself, so that another
    connection would mend nothing (MCP-3).
    """

    present: UserId | None
    delegation: Delegation | None
    proofs: tuple[Proof, ...] = ()
    unproven: bool = False
    in_band: bool = False

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
