"""A no to a question, and the end of all others of its asker where that was one too many (PROMPT-3)."""

from collections.abc import Sequence

from ...protocol.call import State
from ...protocol.entry import Kind
from ...protocol.errors import Code
from ...protocol.grant import GrantState
from ...protocol.ids import UserId
from ...protocol.prompt import askers_of
from .. import grants, prompts
from ..moment import Moment
from ..ports import Tx
from .moves import move

MOST = 200
"""Calls, and as many consents, that are ended at once. Whatever is beyond is refused at the click (PROMPT-3)."""


def declined(tx: Tx, at: Moment, user_id: UserId, askers: Sequence[str]) -> None:
    """Count the no of a user to a question of these askers; where it is quiet from now on, end what else they ask."""
    silenced = set(prompts.declined(tx, at, user_id, askers))
    if not silenced:
        return
    calls, consents = tx.asking(user_id, at.now, MOST)
    for call in calls:
        if silenced.intersection(askers_of(tx.lineage(call.grant_id) if call.grant_id else ())):
            move(tx, call, State.DENIED, at.now, Code.ASKED_TOO_OFTEN, policy_s256=at.policy.file_s256)
    for grant in consents:
        if silenced.intersection(askers_of([grant])) and tx.move_grant(
            grant.grant_id, GrantState.DECLINED, at.now
        ):
            tx.append(grants.entry(Kind.GRANT_DECLINED, grant, code=Code.ASKED_TOO_OFTEN), at.now)
