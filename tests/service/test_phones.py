"""A question on the user's other device, and the digits that are typed there (PHONE-1 to PHONE-3)."""

from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest
from tests.service.agents import Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person

from deputize.protocol.call import State
from deputize.protocol.errors import Refused
from deputize.protocol.ids import CallId, GrantId
from deputize.protocol.phone import Phone
from deputize.protocol.question import Surface
from deputize.service import phones, posed
from deputize.service.approvals import Minted
from deputize.service.calls import approving, endings
from deputize.service.calls.answers import Answered
from deputize.service.posed import Posed

AMOUNTS = count(1)


class Question:
    """A question on two devices: a call or, for rights, a request for consent."""

    def __init__(self, browser: Browser, rights: str = "") -> None:
        self.browser, self.desk, self.person = browser, browser.desk, browser.person
        self.call: Answered | None = None
        if rights:
            self.id = str(browser.asked(rights).grant_id)
        else:
            arguments = {**TRANSFER, "amount": next(AMOUNTS)}
            self.call = self.desk.allowed(self.person, browser.delegation, "transfer_money", arguments)
            self.id = str(self.call.call.call_id)

    def put(self) -> str:
        """Put it on a phone, from its page; return the digits, or why not."""
        if self.call is not None:
            page = self.desk.page_call(self.person, self.call)
            put = self.desk.do(lambda tx: phones.put_call(tx, self.desk.at, page))
        else:
            asking = self.browser.asking()
            put = self.desk.do(lambda tx: phones.put_consent(tx, self.desk.at, asking, self.id))
        return put.digits or "" if isinstance(put, Phone) else put.code

    def mint(self, typed: str | None = None, person: Person | None = None) -> Minted | str:
        """Press Approve on the phone; return why there is no challenge."""
        user_id = (person or self.person).user.user_id
        minted = self.desk.do(lambda tx: posed.challenge(tx, self.desk.at, user_id, self.id, typed))
        return minted if isinstance(minted, Minted) else minted.code

    def confirm(self, minted: Minted | str, typed: str | None = None) -> str:
        """Answer a challenge there."""
        assert isinstance(minted, Minted), minted
        desk, user_id = self.desk, self.person.user.user_id
        evidence = desk.evidence(minted, self.person.devices[0])
        try:
            verdict = desk.look(lambda tx: posed.check(tx, desk.at, user_id, self.id, evidence))
        except Refused as refused:
            return refused.refusal.code
        said = desk.do(lambda tx: posed.approve(tx, desk.at, user_id, self.id, verdict, typed))
        return said if isinstance(said, str) else said.code

    def answer(self, typed: str | None = None) -> str:
        """Do both."""
        minted = self.mint(typed)
        return self.confirm(minted, typed) if isinstance(minted, Minted) else minted

    def decline(self) -> str:
        user_id = self.person.user.user_id
        said = self.desk.do(lambda tx: posed.deny(tx, self.desk.at, user_id, self.id, block=False))
        return said if isinstance(said, str) else said.code

    @property
    def state(self) -> str:
        if self.call is None:
            grant = self.desk.look(lambda tx: tx.grant(GrantId(self.id)))
            assert grant is not None
            return grant.state.value
        call = self.desk.look(lambda tx: tx.call(CallId(self.id)))
        assert call is not None
        return call.state.value

    @property
    def agreed(self) -> dict[str, Any]:
        """Return the entry of its yes."""
        kinds = ("call.approved", "grant.active")
        (entry,) = (
            each for each in self.desk.entries() if self.id in each.values() and each["kind"] in kinds
        )
        return entry

    def seen(self) -> Posed:
        """Open its page."""
        user_id = self.person.user.user_id
        found = self.desk.look(lambda tx: posed.find(tx, self.desk.at, user_id, self.id))
        assert isinstance(found, Posed)
        return found


def other_than(digits: str) -> str:
    return f"{(int(digits) + 1) % 100:02}"


@pytest.fixture(params=["", "account:admin"], ids=["call", "consent"])
def question(request: pytest.FixtureRequest, browser: Browser) -> Question:
    return Question(browser, request.param)


GOOD = ("approved", "active")


class TestWhoTypesThem:
    """PHONE-3."""

    def test_answers(self, question: Question) -> None:
        digits = question.put()
        assert question.seen().digits
        assert question.answer(digits) in GOOD

    def test_is_recorded_as_who_has_typed_them(self, question: Question) -> None:  # APPR-11
        digits = question.put()
        assert question.answer(digits) in GOOD
        entry = question.agreed
        assert (entry["kind"], entry["surface"], entry["digits_typed"]) in (
            ("call.approved", "authority", True),
            ("grant.active", "authority", True),
        )
        assert digits not in entry.values()

    def test_is_not_recorded_so_where_none_were_asked_for(self, question: Question) -> None:
        assert question.answer("07") in GOOD
        assert "digits_typed" not in question.agreed

    def test_nor_is_an_answer_in_the_page_that_shows_them(self, browser: Browser) -> None:
        question = Question(browser)
        question.put()
        assert question.call is not None
        desk, call = question.desk, question.call
        asks = partial(desk.page_call, question.person, call)
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, asks()))
        assert isinstance(minted, Minted)
        evidence = desk.evidence(minted, question.person.devices[0])
        verdict = desk.look(lambda tx: approving.check(tx, desk.at, asks(), evidence))
        assert isinstance(desk.do(lambda tx: approving.approve(tx, desk.at, asks(), verdict)), Answered)
        assert question.agreed["surface"] == "page"
        assert "digits_typed" not in question.agreed

    def test_before_that_nothing_is_changed(self, question: Question) -> None:
        digits = question.put()
        size = len(question.desk.entries())
        assert question.mint() == "missing_digits"
        assert (question.state, len(question.desk.entries())) == ("pending", size)
        assert question.answer(digits) in GOOD

    def test_has_one_try(self, question: Question) -> None:
        digits = question.put()
        assert question.mint(other_than(digits)) == "wrong_digits"
        entries = question.desk.entries()
        ended = [
            each for each in entries if question.id in each.values() and each.get("code") == "wrong_digits"
        ]
        assert [each["kind"] for each in ended] in (["call.denied"], ["grant.declined"])
        assert question.state in ("denied", "declined")
        assert question.mint(digits) == "call_state"
        found = question.seen()
        assert (found.open, found.why) == (False, "wrong_digits")

    def test_is_asked_again_when_the_answer_comes(self, question: Question) -> None:
        """The challenge was there before the digits were."""
        early = question.mint()
        digits = question.put()
        assert question.confirm(early) == "missing_digits"
        assert question.state == "pending"
        assert question.confirm(early, digits) in GOOD

    def test_has_no_second_try_with_a_challenge_in_hand(self, question: Question) -> None:
        digits = question.put()
        minted = question.mint(digits)
        assert question.confirm(minted, other_than(digits)) == "wrong_digits"
        assert question.state in ("denied", "declined")

    def test_is_told_in_the_page_that_asked_why_it_is_over(self, browser: Browser) -> None:
        question = Question(browser)
        question.mint(other_than(question.put()))
        assert question.call is not None
        page = question.desk.page_call(question.person, question.call)
        seen = question.desk.do(lambda tx: endings.look(tx, question.desk.at, page))
        assert isinstance(seen, Answered)
        assert (seen.call.state, seen.code) == (State.DENIED, "wrong_digits")

    def test_needs_none_to_decline(self, question: Question) -> None:
        question.put()
        assert question.decline() == "declined"

    def test_needs_none_in_the_page_where_they_stand(self, browser: Browser) -> None:
        question = Question(browser)
        question.put()
        assert question.call is not None
        page = question.desk.page_call(question.person, question.call)
        minted = question.desk.do(lambda tx: approving.challenge(tx, question.desk.at, page))
        assert isinstance(minted, Minted)
        asked = Question(browser, "account:admin")
        asked.put()
        given = browser.consent(asked.id)
        assert code_of(given) == "question_open"  # PROMPT-2: the other is being answered
        browser.desk.now += 60
        assert code_of(browser.consent(asked.id)) is None

    def test_is_its_user(self, question: Question, desk: Desk) -> None:
        """Nobody else has a try, and so ends nothing (APPR-12)."""
        digits = question.put()
        eve = desk.person("internal")
        for typed in (None, digits, other_than(digits)):
            assert question.mint(typed, eve) in ("call_unknown", "grant_unknown")
        assert question.state == "pending"

    def test_without_a_phone_types_nothing(self, question: Question) -> None:
        """The address alone asks for no digits: an agent that relays it has none (PHONE-1)."""
        assert not question.seen().digits
        assert question.answer() in GOOD

    def test_may_type_them_for_nothing(self, question: Question) -> None:
        assert question.answer("42") in GOOD


class TestDigits:
    """PHONE-2."""

    def test_stay_the_same_until_the_question_is_over(self, question: Question) -> None:
        """An answer may be lost, and another tab asks again."""
        assert len({question.put() for _ in range(5)}) == 1

    def test_are_drawn_for_each_question(self, browser: Browser) -> None:
        browser.desk.policy = replace(
            browser.desk.policy, quotas=replace(browser.desk.policy.quotas, pending_calls=None)
        )
        assert len({Question(browser).put() for _ in range(60)}) > 10

    def test_are_in_no_entry(self, question: Question) -> None:
        size = len(question.desk.entries())
        digits = question.put()
        assert len(question.desk.entries()) == size
        question.answer(digits)
        assert not [each for each in question.desk.entries()[size:] if digits in each.values()]

    def test_are_forgotten_with_a_wrong_try(self, question: Question) -> None:
        question.mint(other_than(question.put()))
        phone = question.desk.look(lambda tx: tx.phone(question.id))
        assert phone is not None
        assert phone.digits is None
        assert question.put() == "call_state"

    def test_last_no_longer_than_the_question(self, question: Question) -> None:
        digits = question.put()
        question.desk.now += 600
        assert question.mint(digits) in ("expired", "call_state")
        assert question.mint(other_than(digits)) in ("expired", "call_state")
        assert question.seen().why is None


class TestGuessing:
    """PHONE-3: one in a hundred a question, and three questions in an hour."""

    def test_is_a_no_and_after_three_it_is_quiet(self, browser: Browser) -> None:
        for _ in range(3):
            question = Question(browser)
            assert question.mint(other_than(question.put())) == "wrong_digits"
        arguments = {**TRANSFER, "amount": next(AMOUNTS)}
        said = browser.desk.said(browser.person, browser.delegation, "transfer_money", arguments)
        assert said == "asked_too_often"
        browser.desk.now += 3599
        assert code_of(browser.ask("account:admin")) == "asked_too_often"

    def test_with_three_wrong_tries_ends_what_else_waits(self, browser: Browser) -> None:
        waits, digits = Question(browser), []
        for _ in range(3):
            question = Question(browser, "account:admin")
            digits.append(question.mint(other_than(question.put())))
        assert digits == ["wrong_digits"] * 3
        assert waits.state == "denied"
        assert waits.seen().why is None  # it was quiet that ended this one


class TestBadLuck:
    """Each has one outcome."""

    def test_of_two_phones_the_first_answers(self, question: Question) -> None:
        digits = question.put()
        one, other = question.mint(digits), question.mint(digits)
        assert question.confirm(one, digits) in GOOD
        assert question.confirm(other, digits) == "call_state"

    def test_two_wrong_tries_at_once_are_one(self, question: Question) -> None:
        digits = question.put()
        tries = [question.mint(other_than(digits)) for _ in range(2)]
        assert tries == ["wrong_digits", "call_state"]
        entries = question.desk.entries()
        assert sum(question.id in e.values() and e.get("code") == "wrong_digits" for e in entries) == 1

    def test_what_was_called_off_takes_no_digits(self, question: Question) -> None:
        digits = question.put()
        assert question.decline() == "declined"
        for typed in (digits, other_than(digits), None):
            assert question.mint(typed) in ("declined", "call_state")
        assert question.put() in ("declined", "call_state")
        assert question.seen().why is None

    def test_a_grant_that_was_taken_back_ends_it(self, browser: Browser) -> None:
        question = Question(browser)
        digits = question.put()
        browser.desk.revoke(browser.delegation.grant_id)
        assert question.mint(digits) == "grant_revoked"
        assert question.state == "denied"

    def test_it_goes_over_to_the_newer_grant_with_its_digits(self, browser: Browser) -> None:
        """GRANT-3."""
        question = Question(browser)
        digits = question.put()
        browser.deputized()
        assert question.answer(digits) == "approved"

    def test_pausing_all_agents_stops_it(self, browser: Browser) -> None:
        """PROMPT-5."""
        question = Question(browser, "account:admin")
        digits = question.put()
        browser.desk.do(lambda tx: tx.pause(browser.person.user.user_id, browser.desk.now))
        assert question.mint(digits) == question.put() == "paused"
        assert question.mint(other_than(digits)) == "paused"  # and no try is lost by it
        browser.desk.do(lambda tx: tx.pause(browser.person.user.user_id, None))
        assert question.answer(digits) == "active"


class TestWhere:
    """PHONE-1: what cannot be answered on the authority's page is put on no phone."""

    def surface(self, desk: Desk, surface: Surface) -> None:
        tools = desk.policy.tools
        transfer = replace(tools["transfer_money"], surface=surface)
        desk.policy = replace(desk.policy, tools={**tools, "transfer_money": transfer})

    @pytest.mark.parametrize("surface", Surface)
    def test_the_policy_says(self, browser: Browser, surface: Surface) -> None:
        self.surface(browser.desk, surface)
        question = Question(browser)
        assert (question.put() == "wrong_surface") is (surface is Surface.PAGE)

    def test_it_may_become_stricter_meanwhile(self, browser: Browser) -> None:
        question = Question(browser)
        digits = question.put()
        self.surface(browser.desk, Surface.PAGE)
        assert question.answer(digits) == "wrong_surface"
        assert question.state == "pending"

    def test_another_page_knows_no_such_question(self, browser: Browser) -> None:
        """The key of the page that asked (CALL-2)."""
        question = Question(browser)
        assert question.call is not None
        desk = browser.desk
        stranger = replace(question.person, page_jkt=desk.person().page_jkt)
        page = desk.page_call(stranger, question.call)
        refused = desk.do(lambda tx: phones.put_call(tx, desk.at, page))
        assert code_of(refused) == "call_unknown"
        asked = Question(browser, "account:admin")
        tab = Browser(desk, stranger)
        refused = desk.do(lambda tx: phones.put_consent(tx, desk.at, tab.asking(), asked.id))
        assert code_of(refused) == "grant_unknown"
        assert not desk.look(lambda tx: tx.phone(question.id) or tx.phone(asked.id))
