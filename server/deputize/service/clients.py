"""OAuth clients: what an agent has proved at an endpoint. Each proof is good once (PROTOCOL §11)."""

from dataclasses import dataclass

from ..protocol.agent import Agent
from ..protocol.client import ClientDocument
from ..protocol.errors import USED_PROOF, Code, Refusal
from ..protocol.ids import Jkt
from ..protocol.proof import Proof
from .blocks import barred
from .moment import Moment
from .ports import Tx

_USED_ASSERTION = Refusal(
    Code.INVALID_CLIENT,
    "This client assertion or signature was used before, or is too old to tell. Make a new one each time.",
)


@dataclass(frozen=True, slots=True)
class Client:
    """An agent at an endpoint: who, by which document, and the proofs to spend.

    `assertion` may be a signature as well (OAUTH-14); one whose document says that it proves nothing has none
    (BEARER-5). `jkt` is the key of `proof`; where there is none, one that the agent only named, or no key.
    """

    agent: Agent
    document: ClientDocument
    assertion: Proof | None
    proof: Proof | None
    jkt: Jkt


def authenticate(tx: Tx, at: Moment, assertion: Proof | None, agent: Agent | None) -> Refusal | None:
    """Use up a client assertion (OAUTH-1) or signature (OAUTH-14), and see that the agent is not revoked.

    `agent` is None for an API of the site.
    """
    if assertion is not None and not tx.use_proof(assertion):
        return _USED_ASSERTION
    known = tx.agent(agent.client_id) if agent is not None else None
    if known is not None and known.revoked_at is not None:
        return Refusal(Code.INVALID_CLIENT, "The owner of this site has revoked this agent.")
    if agent is not None and (out := barred(tx, None, agent.client_id, at.now)):  # BLOCK-2
        return Refusal(Code.INVALID_CLIENT, out.detail)
    return None


def spend(tx: Tx, at: Moment, client: Client) -> Refusal | None:
    """Use up the client's assertion and DPoP proof (OAUTH-1, PROOF-2)."""
    if refusal := authenticate(tx, at, client.assertion, client.agent):
        return refusal
    return None if client.proof is None or tx.use_proof(client.proof) else USED_PROOF
