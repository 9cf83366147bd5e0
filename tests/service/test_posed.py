"""A question by its id is its own user's alone; to everybody else there is none (APPR-12)."""

import pytest
from tests.service.agents import Attested, Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person

from deputize.protocol.errors import Code, Refusal, Refused
from deputize.protocol.ids import UserId
from deputize.service import posed
from deputize.service.approvals import Rejected
from deputize.service.posed import Posed

REJECTED = Rejected(Refusal(Code.EXPIRED, ""), None, None)
KINDS = pytest.mark.parametrize("kind", ["call", "consent"])


def asked(desk: Desk, browser: Browser, kind: str) -> str:
    """Ask something that waits for its user; return its id."""
    if kind == "call":
        return desk.allowed(browser.person, browser.delegation, "transfer_money", TRANSFER).call.call_id
    return browser.asked("account:admin").grant_id


def find(desk: Desk, user_id: UserId, asked_id: str) -> Posed | str | None:
    found = desk.look(lambda tx: posed.find(tx, desk.at, user_id, asked_id))
    return found if isinstance(found, Posed) else code_of(found)


@KINDS
def test_it_is_open_to_its_user_and_unknown_to_everybody_else(
    desk: Desk, browser: Browser, kind: str
) -> None:
    its, mallory = asked(desk, browser, kind), desk.person("internal").user.user_id
    found = find(desk, browser.person.user.user_id, its)
    assert isinstance(found, Posed)
    assert (found.open, found.state, found.method, found.here) == (True, "pending", "webauthn", True)
    unknown = find(desk, mallory, f"{its[:-1]}_")
    assert unknown in ("call_unknown", "grant_unknown")
    assert find(desk, mallory, its) == unknown
    size = len(desk.entries())
    for answer in (
        desk.do(lambda tx: posed.challenge(tx, desk.at, mallory, its)),
        desk.do(lambda tx: posed.deny(tx, desk.at, mallory, its, block=True)),
        desk.do(lambda tx: posed.approve(tx, desk.at, mallory, its, REJECTED)),
    ):
        assert code_of(answer) == unknown
    with pytest.raises(Refused) as refused:
        desk.look(lambda tx: posed.check(tx, desk.at, mallory, its, {}))
    assert refused.value.refusal.code == unknown
    assert len(desk.entries()) == size
    assert find(desk, browser.person.user.user_id, its) == found


@KINDS
def test_its_user_says_no_once(desk: Desk, browser: Browser, kind: str) -> None:
    its, user_id = asked(desk, browser, kind), browser.person.user.user_id
    assert desk.do(lambda tx: posed.deny(tx, desk.at, user_id, its, block=False)) == "declined"
    found = find(desk, user_id, its)
    assert isinstance(found, Posed)
    assert (found.open, found.state) == (False, "declined")


def test_what_was_handed_on_asks_nobody(desk: Desk, grace: Person) -> None:
    parent = Attested.make(desk).deputized(grace)
    child = parent.deputizes(Attested.make(desk))
    user_id = grace.user.user_id
    assert isinstance(find(desk, user_id, parent.grant.grant_id), Posed)
    assert find(desk, user_id, child.grant.grant_id) == "grant_unknown"
