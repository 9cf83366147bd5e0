"""Going on with an older copy of the data, or with a clone, as the owner says (RESTORE-2). One transaction."""

from ..protocol.canonical import b64u
from ..protocol.checkpoint import Checkpoint
from ..protocol.entry import Entry, Kind
from ..protocol.grant import GrantState
from . import grants
from .calls.moves import abandon
from .ports import Tx

_EVER = 2**53
"""Later than any deadline."""
_AT_ONCE = 200


def accept(tx: Tx, now: int, newest: Checkpoint | None, clone: bool = False, cut: bool = False) -> int:
    """Record that the record goes on from here, end all that was under way, and suspend what users have allowed.

    `newest` is the checkpoint that the store is behind, None if there is none. What was taken back since the copy was
    made is active in it again, and nobody knows which: each grant waits for its user, who confirms it or does not. What
    agents have handed on is revoked; they can hand it on again. So is what has no key: a refresh token that was used up
    since is as good as new here, in whosever hands it is. Returns how many grants wait. `cut` says that the key is
    younger than the copy, so that nobody can tell any more whose the checkpoints in it are (LOG-12).
    """
    given_up = {"given_up_size": newest.size, "given_up_root": b64u(newest.root)} if newest else {}
    tx.append(Entry(Kind.RECORD_RESTORED, {"by": "owner", "clone": clone or None, **given_up}), now)
    while calls := tx.overdue_calls(_EVER, _AT_ONCE):
        for call in calls:
            abandon(tx, call, now)
    suspended = 0
    for grant in tx.grants():
        if grant.state is not GrantState.ACTIVE:
            continue
        if grant.parent_id is not None or grant.bearer:
            grants.revoke_grant(tx, grant, now, by="owner")
        elif tx.move_grant(grant.grant_id, GrantState.SUSPENDED, now):
            tx.append(grants.entry(Kind.GRANT_SUSPENDED, grant), now)
            suspended += 1
    tx.cut(now)
    if clone or cut:
        tx.drop_checkpoints()  # of a key that is not its own any more
    return suspended
