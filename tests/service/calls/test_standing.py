"""Who comes over MCP is let in where it is decided, and what stands behind him is read there, once (MCP-2)."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.service.agents import Attested, code_of
from tests.service.kit import TRANSFER, Desk, Person
from tests.store import values as v

from deputize.protocol.authorization import Standing
from deputize.protocol.errors import Refusal
from deputize.protocol.ids import GrantId
from deputize.protocol.token import Delegation
from deputize.service import enrollments
from deputize.service.calls import approving, arrivals
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import MCP, CallRequest, Principal
from deputize.service.calls.standing import enter
from deputize.store.snapshot import Snapshot


@pytest.fixture
def grace(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def helper(desk: Desk, grace: Person) -> Attested:
    return Attested.make(desk).deputized(grace)


@pytest.fixture
def errand(desk: Desk, grace: Person) -> Attested:
    return Attested.make(desk).deputized(grace)


def by(desk: Desk, connection: Delegation, named: Delegation | None = None) -> Principal:
    """Come over a connection, and perhaps name an agent in the message (MCP-3)."""
    whose = named or connection
    return Principal(whose.user_id, whose, (desk.proof(whose.jkt),), connection=connection)


def asked(desk: Desk, person: Person, who: Principal, tool: str = "transfer_money") -> CallRequest:
    return desk.request(person, None, tool, TRANSFER, MCP, principal=who)


def ways(desk: Desk, person: Person, who: Principal) -> list[Any]:
    """Come with each use case of MCP in turn, each with a proof of its own; return what they answer."""
    cases: list[Any] = [
        lambda tx, by: enter(tx, desk.at, by),
        lambda tx, by: enrollments.begin(tx, desk.at, by),
        lambda tx, by: approving.challenge_ahead(tx, desk.at, asked(desk, person, by)),
        lambda tx, by: approving.challenge_ahead(tx, desk.at, asked(desk, person, by, "no_such_tool")),
        lambda tx, by: arrivals.create(tx, desk.at, asked(desk, person, by)),
    ]
    fresh = [replace(who, proofs=(desk.proof(who.proofs[0].jkt),)) for _ in cases]
    return [desk.do(partial(case, by=by)) for case, by in zip(cases, fresh, strict=True)]


def test_a_connection_without_a_grant_does_nothing_and_nothing_is_recorded(
    desk: Desk, grace: Person, helper: Attested
) -> None:
    desk.revoke(helper.grant.grant_id)
    size = len(desk.entries())
    assert {code_of(each) for each in ways(desk, grace, by(desk, helper.delegation))} == {"grant_revoked"}
    assert len(desk.entries()) == size


def test_nor_does_one_whose_message_names_another_agent(
    desk: Desk, grace: Person, helper: Attested, errand: Attested
) -> None:
    """MCP-3: the other agent's grant is none the worse, so that it is not told of as ended."""
    desk.revoke(helper.grant.grant_id)
    who = by(desk, helper.delegation, errand.delegation)
    assert {code_of(each) for each in ways(desk, grace, who)} == {"invalid_token"}


def test_an_agent_named_in_the_message_whose_grant_has_ended_is_denied_in_the_record(
    desk: Desk, grace: Person, helper: Attested, errand: Attested
) -> None:
    desk.revoke(errand.grant.grant_id)
    who = by(desk, helper.delegation, errand.delegation)
    answer = desk.do(lambda tx: arrivals.create(tx, desk.at, asked(desk, grace, who, "get_balance")))
    assert isinstance(answer, Denied)
    assert (answer.refusal.code, desk.last()["code"]) == ("grant_revoked", "grant_revoked")


def test_a_used_proof_is_said_before_that_the_grant_has_ended(
    desk: Desk, grace: Person, helper: Attested
) -> None:  # PROOF-2
    desk.revoke(helper.grant.grant_id)
    who = by(desk, helper.delegation)
    answers = [desk.do(lambda tx: enter(tx, desk.at, who)) for _ in range(2)]
    assert [code_of(each) for each in answers] == ["grant_revoked", "invalid_dpop_proof"]


def test_a_delegation_for_another_key_than_its_grants_is_none(
    desk: Desk, grace: Person, helper: Attested
) -> None:  # CALL-2
    other = replace(helper.delegation, jkt=v.jkt("another"))
    assert desk.said(grace, other, "get_balance") == "invalid_token"
    assert desk.said(grace, helper.delegation, "get_balance") == "approved"
    assert {code_of(each) for each in ways(desk, grace, by(desk, other))} == {"consent_required"}


def test_an_agent_that_the_owner_has_revoked_does_nothing_over_mcp(
    desk: Desk, grace: Person, helper: Attested
) -> None:  # MCP-2
    desk.do(lambda tx: tx.revoke_agent(helper.client_id, desk.now))
    assert {code_of(each) for each in ways(desk, grace, by(desk, helper.delegation))} == {"unknown_agent"}


@pytest.mark.parametrize("way", ["page", "mcp"])
def test_a_grant_is_read_once_in_a_transaction(
    desk: Desk, grace: Person, helper: Attested, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    read, lineage = Counter[GrantId](), Snapshot.lineage

    def counted(self: Snapshot, grant_id: GrantId) -> Any:
        read[grant_id] += 1
        return lineage(self, grant_id)

    monkeypatch.setattr(Snapshot, "lineage", counted)
    if way == "page":
        assert isinstance(desk.call(grace, helper.delegation, "get_balance"), Answered)
        assert read == {helper.grant.grant_id: 1}
        return
    answers = ways(desk, grace, by(desk, helper.delegation))
    assert isinstance(answers[0], Standing)
    assert not isinstance(answers[2], Refusal)
    assert read == {helper.grant.grant_id: len(answers)}
