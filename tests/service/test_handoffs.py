"""Agents that hand on a part of what they have, and what becomes of it (CHAIN-1 to CHAIN-5)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.service.agents import BOTH, Attested, code_of
from tests.service.kit import TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.canonical import Json
from deputize.protocol.handoff import Handoff
from deputize.protocol.token import CallToken
from deputize.service import blocks, grants
from deputize.service.calls import approving, redemptions
from deputize.service.grants import Renewable

NOTE: dict[str, Json] = {"type": "webmcp_tool", "tool": "note"}


@pytest.fixture
def ada(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def parent(desk: Desk, ada: Person) -> Attested:
    """Give an agent that may note five times, and spend 100 by that."""
    return Attested.make(desk).deputized(ada, BOTH, [{**NOTE, "max_calls": 5, "sum": {"/amount": 100}}])


@pytest.fixture
def errand(desk: Desk) -> Attested:
    return Attested.make(desk)


class TestHandingOn:
    """The parent's half (CHAIN-1)."""

    def test_offers_what_was_asked_for_and_is_recorded(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested
    ) -> None:
        handoff = parent.hand_on(errand, scope="account:read")
        assert isinstance(handoff, Handoff)
        assert (handoff.user_id, handoff.parent_id) == (ada.user.user_id, parent.grant.grant_id)
        assert (handoff.child, handoff.child_jkt) == (errand.client_id, errand.jkt)
        assert str(handoff.scopes) == "account:read"
        assert handoff.constraints.details() == parent.grant.constraints.details()
        assert (desk.last()["kind"], desk.last()["child"]) == ("grant.handed_on", errand.client_id)

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"scope": "account:read account:admin"}, "invalid_scope"),
            ({"scope": "account:admin"}, "invalid_scope"),
            ({"scope": ""}, "invalid_scope"),
            ({"details": [{**NOTE, "max_calls": 6}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "sum": {"/amount": 100.5}}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "max_calls": n} for n in range(1, 17)]}, "invalid_authorization_details"),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_no_more_is_offered_than_one_has(
        self, parent: Attested, errand: Attested, asked: dict[str, Any], code: str
    ) -> None:  # CONS-2
        assert code_of(parent.hand_on(errand, **asked)) == code

    def test_what_is_another_clients_or_keys_is_not_handed_on(
        self, parent: Attested, errand: Attested
    ) -> None:
        stolen = parent.delegation
        assert code_of(errand.hand_on(errand, delegation=stolen)) == "invalid_grant"
        with_its_key = errand.client(jkt=parent.jkt)
        assert code_of(errand.hand_on(errand, client=with_its_key, delegation=stolen)) == "invalid_grant"
        with_another = parent.client(jkt=v.jkt("another"))
        assert code_of(parent.hand_on(errand, client=with_another)) == "invalid_grant"

    def test_what_a_browsers_agent_has_is_not_handed_on(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested
    ) -> None:
        assert code_of(parent.hand_on(errand, delegation=desk.deputize(ada))) == "invalid_grant"

    def test_needs_proofs_that_nobody_has_used(self, parent: Attested, errand: Attested) -> None:  # PROOF-2
        client = parent.client()
        assert isinstance(parent.hand_on(errand, client=client), Handoff)
        assert code_of(parent.hand_on(errand, client=client)) == "invalid_client"
        again = replace(parent.client(), proof=client.proof)
        assert code_of(parent.hand_on(errand, client=again)) == "invalid_dpop_proof"

    def test_what_is_over_is_not_handed_on(self, desk: Desk, parent: Attested, errand: Attested) -> None:
        desk.now += 3600
        assert code_of(parent.hand_on(errand)) == "invalid_grant"
        desk.now -= 3600
        desk.revoke(parent.grant.grant_id)
        assert code_of(parent.hand_on(errand)) == "invalid_grant"

    def test_no_agent_hands_on_to_itself_or_upwards(
        self, desk: Desk, parent: Attested, errand: Attested
    ) -> None:  # CHAIN-5
        assert code_of(parent.hand_on(parent)) == "invalid_request"
        by_another_key = Attested(desk, parent.client_id, v.jkt("elsewhere"))
        assert code_of(parent.hand_on(by_another_key)) == "invalid_request"
        parent.deputizes(errand)
        assert code_of(errand.hand_on(parent)) == "invalid_request"
        assert code_of(errand.hand_on(errand)) == "invalid_request"
        assert code_of(errand.hand_on(Attested.make(desk))) is None


class TestTakingOver:
    """The child's half (CHAIN-2)."""

    def test_makes_a_grant_of_its_own_below_the_parents(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested
    ) -> None:
        parent.deputizes(errand, [{**NOTE, "max_calls": 2}], "account:read")
        assert errand.grant.parent_id == parent.grant.grant_id != errand.grant.grant_id
        assert (errand.grant.jkt, errand.grant.auth_time) == (errand.jkt, parent.grant.auth_time)
        assert (desk.last()["kind"], desk.last()["parent_id"]) == ("grant.active", parent.grant.grant_id)
        assert errand.call(ada) == "approved"
        assert errand.call(ada, "note", {"amount": 1}) == "insufficient_scope"
        assert parent.call(ada, "note", {"amount": 1}) == "approved"

    def test_who_handed_it_on_is_told_now_and_when_it_is_renewed(
        self, parent: Attested, errand: Attested
    ) -> None:
        parent.deputizes(errand)
        for _ in range(2):
            assert errand.holds is not None
            assert [each.client_id for each in errand.holds.parents] == [parent.client_id]
            assert isinstance(errand.renew(), Renewable)

    def test_comes_once_of_one_handoff(self, parent: Attested, errand: Attested) -> None:
        received = parent.handed(errand)
        assert code_of(errand.take_over(received)) is None
        assert code_of(errand.take_over(received)) == "invalid_grant"

    def test_needs_proofs_that_nobody_has_used(self, parent: Attested, errand: Attested) -> None:  # PROOF-2
        client = errand.client()
        assert isinstance(errand.take_over(parent.handed(errand), client=client), Renewable)
        assert code_of(errand.take_over(parent.handed(errand), client=client)) == "invalid_client"

    def test_is_for_the_named_client_and_key_only(
        self, desk: Desk, parent: Attested, errand: Attested
    ) -> None:
        received, third = parent.handed(errand), Attested.make(desk)
        assert code_of(errand.take_over(received, client=errand.client(jkt=third.jkt))) == "invalid_grant"
        assert code_of(third.take_over(received, client=third.client(jkt=errand.jkt))) == "invalid_grant"
        assert code_of(parent.take_over(received)) == "invalid_grant"  # who hands on is not who acts
        assert code_of(errand.take_over(received)) is None  # nothing of that used it up

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"scope": BOTH}, "invalid_scope"),
            ({"scope": "payments:write"}, "invalid_scope"),
            ({"details": [{**NOTE, "max_calls": 3}]}, "invalid_authorization_details"),
        ],
        ids=str,
    )
    def test_is_of_no_more_than_was_handed_on(
        self, parent: Attested, errand: Attested, asked: dict[str, Any], code: str
    ) -> None:
        received = parent.handed(errand, [{**NOTE, "max_calls": 2}], "account:read")
        assert code_of(errand.take_over(received, **asked)) == code

    def test_is_of_less_if_the_child_wants_less(
        self, ada: Person, parent: Attested, errand: Attested
    ) -> None:
        errand.take_over(parent.handed(errand), [{**NOTE, "max_calls": 1}], "payments:write")
        assert errand.call(ada, "note", {"amount": 1}) == "approved"
        assert errand.call(ada, "note", {"amount": 2}) == "constraint_exhausted"
        assert errand.call(ada) == "insufficient_scope"

    def test_lasts_no_longer_than_the_parent(self, desk: Desk, parent: Attested, errand: Attested) -> None:
        desk.now += 3400  # of 3600
        parent.deputizes(errand)
        assert errand.grant.expires_at == desk.now + 200
        desk.now += 200
        assert code_of(errand.renew()) == "invalid_grant"

    def test_needs_a_parent_that_lives_still(self, desk: Desk, parent: Attested, errand: Attested) -> None:
        received = parent.handed(errand)
        desk.revoke(parent.grant.grant_id)
        assert code_of(errand.take_over(received)) == "invalid_grant"

    def test_is_not_for_whom_the_user_has_blocked(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested
    ) -> None:  # BLOCK-1
        errand.deputized(ada)
        received, user_id = parent.handed(errand), ada.user.user_id
        desk.do(lambda tx: blocks.block(tx, desk.at, user_id, errand.grant.grant_id, None))
        refused = errand.take_over(received)
        assert code_of(refused) == "invalid_grant"
        assert "has blocked this agent" in refused.detail  # type: ignore[union-attr]  # it is a refusal


class TestLineage:
    """A grant lives as long as every grant above it (CHAIN-3, CHAIN-4)."""

    @pytest.fixture
    def third(self, desk: Desk, parent: Attested, errand: Attested) -> Attested:
        return parent.deputizes(errand).deputizes(Attested.make(desk))

    def test_revoking_a_link_kills_what_hangs_below_at_once(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested, third: Attested
    ) -> None:
        running = desk.allowed(ada, third.delegation, "note", {"amount": 1})
        asked = desk.allowed(ada, third.delegation, "transfer_money", TRANSFER)
        desk.revoke(parent.grant.grant_id)
        assert third.call(ada) == errand.call(ada) == "grant_revoked"
        assert code_of(third.renew()) == "invalid_grant"
        token = CallToken.of(running.call, desk.now)
        redeemed = desk.do(lambda tx: redemptions.redeem(tx, desk.at, None, token, token.args_s256))
        assert outcome(redeemed) == "grant_revoked"  # GUARD-4
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(ada, asked)))
        assert outcome(minted) == "grant_revoked"  # APPR-5

    def test_revoking_a_link_leaves_what_is_above(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested, third: Attested
    ) -> None:
        desk.revoke(errand.grant.grant_id)
        assert third.call(ada) == "grant_revoked"
        assert parent.call(ada) == "approved"

    def test_revoking_an_agent_kills_what_it_handed_on(
        self, desk: Desk, ada: Person, parent: Attested, third: Attested
    ) -> None:
        assert desk.do(lambda tx: grants.revoke_agent(tx, parent.client_id, desk.now)) is None
        assert third.call(ada) == "grant_revoked"

    def test_a_new_consent_for_the_parent_ends_what_hung_on_the_old_one(
        self, ada: Person, parent: Attested, third: Attested
    ) -> None:  # GRANT-3
        parent.deputized(ada, "account:read")
        assert third.call(ada) == "invalid_token"
        assert code_of(third.renew()) == "invalid_grant"

    def test_three_agents_stand_in_it_and_no_fourth(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested, third: Attested
    ) -> None:
        assert third.holds is not None
        line = [each.client_id for each in third.holds.parents]
        assert line == [errand.client_id, parent.client_id]
        assert third.call(ada) == "approved"
        assert code_of(third.hand_on(Attested.make(desk))) == "invalid_grant"

    def test_what_is_used_below_is_used_above(
        self, ada: Person, parent: Attested, errand: Attested
    ) -> None:  # CONS-3
        parent.deputizes(errand, [{**NOTE, "max_calls": 4}])
        for amount in (1, 2, 3):
            assert errand.call(ada, "note", {"amount": amount}) == "approved"
        for amount in (4, 5):
            assert parent.call(ada, "note", {"amount": amount}) == "approved"
        assert parent.call(ada, "note", {"amount": 6}) == "constraint_exhausted"
        assert errand.call(ada, "note", {"amount": 7}) == "constraint_exhausted"

    def test_siblings_share_what_the_parent_has(
        self, desk: Desk, ada: Person, parent: Attested, errand: Attested
    ) -> None:  # CONS-3
        other = parent.deputizes(Attested.make(desk))
        parent.deputizes(errand)
        assert errand.call(ada, "note", {"amount": 60}) == "approved"
        assert other.call(ada, "note", {"amount": 41}) == "constraint_exhausted"
        assert other.call(ada, "note", {"amount": 40}) == "approved"


def test_a_grant_has_so_many_children(desk: Desk, parent: Attested, errand: Attested) -> None:  # CHAIN-5
    desk.policy = replace(desk.policy, children=2)
    late = parent.handed(errand)  # before there are so many
    for _ in range(2):
        parent.deputizes(errand)
    assert code_of(parent.hand_on(errand)) == "invalid_request"
    assert code_of(errand.take_over(late)) == "invalid_request"
    assert desk.look(lambda tx: tx.children(parent.grant.grant_id, desk.now)) == 2
    desk.revoke(errand.grant.grant_id)
    assert code_of(parent.hand_on(errand)) is None
    assert code_of(errand.take_over(late)) is None  # what was refused for want of room is not used up
    desk.revoke(errand.grant.grant_id)
    assert code_of(errand.take_over(late)) == "invalid_grant"  # but once it is
