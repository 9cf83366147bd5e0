"""Entries of the record: what was decided, in canonical bytes (PROTOCOL §9)."""

from collections.abc import Mapping
from enum import StrEnum

import orjson

from .call import Call
from .canonical import Json, b64u, s256
from .errors import Code
from .grant import Grant
from .policy import Policy
from .value import value


class Kind(StrEnum):
    """What an entry tells of. A call's moves are `call.<state>`."""

    CALL_REFUSED = "call.refused"
    APPROVAL_REFUSED = "approval.refused"
    REDEMPTION_REFUSED = "redemption.refused"
    AGENT_REGISTERED = "agent.registered"
    AGENT_REVOKED = "agent.revoked"
    AGENT_BLOCKED = "agent.blocked"
    AGENT_UNBLOCKED = "agent.unblocked"
    AGENTS_PAUSED = "agents.paused"
    AGENTS_RESUMED = "agents.resumed"
    PROMPTS_QUIETED = "prompts.quieted"
    PROMPTS_RESUMED = "prompts.resumed"
    GRANT_REQUESTED = "grant.requested"
    GRANT_ACTIVE = "grant.active"
    GRANT_HANDED_ON = "grant.handed_on"
    GRANT_DECLINED = "grant.declined"
    GRANT_REVOKED = "grant.revoked"
    GRANT_SUPERSEDED = "grant.superseded"
    GRANT_SUSPENDED = "grant.suspended"
    GRANT_REFUSED = "grant.refused"
    USER_SIGNED_UP = "user.signed_up"
    USER_SIGNED_IN = "user.signed_in"
    USER_FORGOTTEN = "user.forgotten"
    USER_BLOCKED = "user.blocked"
    USER_UNBLOCKED = "user.unblocked"
    CREDENTIAL_ADDED = "credential.added"
    CREDENTIAL_REMOVED = "credential.removed"
    CREDENTIAL_REFUSED = "credential.refused"
    RECOVERY_ISSUED = "recovery.issued"
    ENROLLMENT_OPENED = "enrollment.opened"
    ENROLLMENT_CLOSED = "enrollment.closed"
    ENROLLMENT_REFUSED = "enrollment.refused"
    RECORD_RESTORED = "record.restored"
    RECORD_HANDED_OVER = "record.handed_over"
    FORGETTING_REFUSED = "forgetting.refused"


@value
class Entry:
    """One entry before it has an index: its kind and what it tells (JSON values; None is left out)."""

    kind: str
    facts: Mapping[str, object]

    def leaf(self, index: int, now: int, blind: bytes) -> bytes:
        """Return the bytes that the Merkle leaf hashes: one JSON object with sorted members (LOG-1).

        With a random blind of 16 bytes, its hash, which anybody may read (LOG-7), tells nobody what he can guess.
        """
        told = {name: fact for name, fact in self.facts.items() if fact is not None}
        return orjson.dumps(
            {"v": 1, "i": index, "t": now, "blind": b64u(blind), "kind": self.kind, **told},
            option=orjson.OPT_SORT_KEYS,
        )


def commitment(salt: bytes, canonical: bytes) -> str:
    """Commit to canonical bytes without telling them (LOG-2)."""
    return s256(salt + canonical)


def call_facts(call: Call) -> dict[str, object]:
    """Say whose call this is, and of what."""
    return {
        "call_id": call.call_id,
        "sub": call.user_id,
        "client_id": call.client_id,
        "grant_id": call.grant_id,
        "tool": call.tool,
    }


def call_entry(
    call: Call, canonical: bytes, policy: Policy, code: Code | None = None, **facts: object
) -> Entry:
    """Tell of a call's arrival in its state, with everything that was known when it was decided (LOG-6)."""
    return Entry(
        f"call.{call.state}",
        {
            **call_facts(call),
            "scope": str(call.scopes),
            "args_commitment": commitment(call.salt, canonical),
            "definition_s256": call.definition_s256,
            "description_commitment": commitment(call.salt, call.description.kept.encode())
            if call.description
            else None,
            "challenge_id": call.challenge_id,
            "policy_s256": policy.file_s256,
            "code": code,
            **facts,
        },
    )


def move_entry(call: Call, code: Code | None = None, **facts: object) -> Entry:
    """Tell of a later move of a call whose arrival is in the record already."""
    return Entry(f"call.{call.state}", {"call_id": call.call_id, "code": code, **facts})


def grant_entry(kind: Kind, grant: Grant, **facts: object) -> Entry:
    """Tell of a grant."""
    told = {
        "grant_id": grant.grant_id,
        "sub": grant.user_id,
        "client_id": grant.client_id,
        "scope": str(grant.scopes),
    }
    return Entry(kind, {**told, **facts})


def evidence_s256(evidence: Json) -> str | None:
    """Hash an assertion as it arrived, so that the record can point to it without holding it (LOG-2)."""
    return None if evidence is None else s256(orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS))
