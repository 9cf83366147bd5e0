"""A page that looks at its call is told why it was denied, whatever that was (CALL-9)."""

from tests.service.agents import Browser
from tests.service.kit import TRANSFER

from deputize.protocol.ids import CallId
from deputize.service import posed
from deputize.service.calls import endings
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import PageCall


def looks(browser: Browser, call_id: CallId) -> tuple[str, str | None]:
    """Look at a call twice, as its page does and as one that waits (WAIT-1), and see the same."""
    desk, person = browser.desk, browser.person
    page = PageCall(call_id, person.user.user_id, desk.proof(person.page_jkt))
    seen = desk.do(lambda tx: endings.look(tx, desk.at, page))
    assert isinstance(seen, Answered)
    waited = desk.look(lambda tx: endings.as_it_is(tx, desk.at, page.call_id))
    assert waited is not None
    assert (waited.call.state, waited.code) == (seen.call.state, seen.code)
    return seen.call.state, seen.code


def test_after_a_grant_was_taken_back(browser: Browser) -> None:
    desk = browser.desk
    waits = desk.allowed(browser.person, browser.delegation, "transfer_money", TRANSFER)
    call_id = waits.call.call_id
    assert looks(browser, call_id) == ("pending", None)
    desk.revoke(browser.delegation.grant_id)
    user_id = browser.person.user.user_id
    desk.do(lambda tx: posed.challenge(tx, desk.at, user_id, call_id))
    assert looks(browser, call_id) == ("denied", "grant_revoked")


def test_where_it_was_denied_when_it_came(browser: Browser) -> None:
    denied = browser.desk.call(browser.person, browser.delegation, "transfer_money", {"amount": "much"})
    assert isinstance(denied, Denied)
    assert looks(browser, denied.call_id) == ("denied", "invalid_arguments")
