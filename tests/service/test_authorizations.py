"""How an attested agent gets a grant: it pushes, the user answers, it collects (OAUTH-1 to OAUTH-7; BEARER-2)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.service.agents import BOTH, Attested, Browser, code_of, scopes
from tests.service.kit import Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.agent import Assurance
from deputize.protocol.canonical import Json
from deputize.protocol.errors import Code, Refusal, Refused
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import NO_KEY, GrantId
from deputize.protocol.request import AuthorizationRequest, Status
from deputize.service import authorizations, blocks, clients, consents, grants
from deputize.service.clients import Client
from deputize.service.grants import PageRequest, Renewable, Renewal

NOTE: dict[str, Json] = {"type": "webmcp_tool", "tool": "note", "max_calls": 1}
Step = Callable[[Desk, Attested, Client], object]


@pytest.fixture
def ada(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def helper(desk: Desk) -> Attested:
    return Attested.make(desk)


@pytest.fixture
def app(desk: Desk) -> Attested:
    """Give an app that proves nothing."""
    return Attested.unproven(desk)


def push(desk: Desk, agent: Attested, client: Client) -> object:
    return agent.push(agent.request(), client)


def collect(desk: Desk, agent: Attested, client: Client) -> object:
    return agent.collect("code", client)


def poll(desk: Desk, agent: Attested, client: Client) -> object:
    return agent.poll("code", client)


def renew(desk: Desk, agent: Attested, client: Client) -> object:
    return desk.do(lambda tx: authorizations.renew(tx, desk.at, client, Renewal(v.grant_id(), 0, None, None)))


ALL = pytest.mark.parametrize("step", [push, collect, poll, renew])


class TestTheDoor:
    """OAUTH-1, OAUTH-2."""

    @ALL
    def test_an_assertion_and_a_proof_are_good_once(self, desk: Desk, helper: Attested, step: Step) -> None:
        first = helper.client()
        step(desk, helper, first)
        assert code_of(step(desk, helper, replace(helper.client(), assertion=first.assertion))) == (
            "invalid_client"
        )
        assert code_of(step(desk, helper, replace(helper.client(), proof=first.proof))) == (
            "invalid_dpop_proof"
        )  # PROOF-2

    @ALL
    def test_nobody_whom_the_owner_has_revoked_or_blocked_comes_in(
        self, desk: Desk, ada: Person, step: Step
    ) -> None:  # BLOCK-2
        revoked, blocked = Attested.make(desk).deputized(ada), Attested.make(desk)
        assert desk.do(lambda tx: grants.revoke_agent(tx, revoked.client_id, desk.now)) is None
        desk.do(lambda tx: blocks.block_agent(tx, blocked.client_id, None, desk.now))
        for agent in (revoked, blocked):
            assert code_of(step(desk, agent, agent.client())) == "invalid_client"

    def test_an_api_of_the_site_has_an_assertion_and_no_agent(self, desk: Desk) -> None:
        proof = desk.proof(v.jkt())
        answers = [desk.do(lambda tx: clients.authenticate(tx, desk.at, proof, None)) for _ in range(2)]
        assert [code_of(answer) for answer in answers] == [None, "invalid_client"]


class TestPushing:
    """OAUTH-3."""

    @pytest.mark.parametrize("device", [None, "code"])
    def test_is_refused_for_what_the_policy_does_not_have(
        self, desk: Desk, helper: Attested, device: str | None
    ) -> None:
        for asked, code in (
            (helper.request("account:delete", device_code=device), "invalid_scope"),
            (helper.request("", device_code=device), "invalid_scope"),
            (helper.request("account:admin", device_code=device), "invalid_scope"),  # above its ceiling
            (
                helper.request(details=[{**NOTE, "tool": "nothing"}], device_code=device),
                "invalid_authorization_details",
            ),
        ):
            assert code_of(helper.push(asked)) == code
            assert desk.look(lambda tx, it=asked: tx.request(it.request_id)) is None  # type: ignore[misc]


class TestShowing:
    """OAUTH-4."""

    def test_makes_a_grant_that_waits_with_all_that_was_asked(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:  # GRANT-1
        grant = helper.show(ada, helper.pushed(details=[NOTE]))
        assert isinstance(grant, Grant)
        assert (grant.state, grant.jkt, grant.scopes) == (GrantState.PENDING, helper.jkt, scopes(BOTH))
        assert grant.shown["authorization_details"] == [NOTE]
        told = {"client_id": helper.client_id, "assurance": "registered", "name": "Helper"}
        assert grant.shown["agent"] == told
        assert desk.last()["kind"] == "grant.requested"

    def test_looking_twice_shows_the_same(self, desk: Desk, ada: Person, helper: Attested) -> None:
        request = helper.pushed()
        first, size = helper.show(ada, request), len(desk.entries())
        assert helper.show(ada, request) == first
        assert len(desk.entries()) == size

    def test_the_browser_has_90_seconds_to_come(self, desk: Desk, ada: Person, helper: Attested) -> None:
        kept, lost = helper.pushed(), helper.pushed()
        desk.now += 89
        assert isinstance(helper.show(ada, kept), Grant)
        desk.now += 1
        assert code_of(helper.show(ada, lost)) == "invalid_request"

    def test_the_user_has_600_in_all_however_often_it_is_looked_at(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:
        request, eve = helper.pushed(), desk.person("internal")
        assert isinstance(helper.show(ada, request), Grant)
        desk.now += 599
        assert isinstance(helper.show(eve, request), Grant)
        desk.now += 1
        assert code_of(helper.show(ada, request)) == code_of(helper.show(eve, request)) == "invalid_request"

    def test_what_nobody_may_have_any_more_is_not_shown(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:  # POLICY-3
        request, ceiling = helper.pushed(), desk.policy.ceiling
        less = {**ceiling.registered, helper.client_id: scopes("account:read")}
        desk.policy = replace(desk.policy, ceiling=replace(ceiling, registered=less))
        assert code_of(helper.show(ada, request)) == "invalid_request"

    def test_nobody_is_shown_what_was_never_pushed(self, ada: Person, helper: Attested) -> None:
        assert code_of(helper.show(ada, helper.request())) == "invalid_request"

    def test_whom_the_user_has_blocked_is_not_shown(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:  # BLOCK-1
        helper.deputized(ada)
        request, user_id = helper.pushed(), ada.user.user_id
        desk.do(lambda tx: blocks.block(tx, desk.at, user_id, helper.grant.grant_id, None))
        assert code_of(helper.show(ada, request)) == "agent_blocked"


class TestAnswering:
    """OAUTH-4."""

    def test_is_for_the_user_to_whom_it_was_shown(self, desk: Desk, ada: Person, helper: Attested) -> None:
        request, eve = helper.pushed(), desk.person("internal")
        assert code_of(helper.agree(ada, request)) == "grant_unknown"  # it was not shown to anybody yet
        helper.show(ada, request)
        assert code_of(helper.agree(eve, request)) == "grant_unknown"
        denied = desk.do(lambda tx: authorizations.decline(tx, desk.at, eve.user.user_id, request.request_id))
        assert code_of(denied) == "invalid_request"
        assert not isinstance(helper.agree(ada, request), Refusal)

    def test_a_page_key_of_the_user_cannot_do_it(self, desk: Desk, ada: Person, helper: Attested) -> None:
        grant, by_page = helper.show(ada, helper.pushed()), Browser(desk, ada)
        assert isinstance(grant, Grant)
        assert code_of(by_page.consent(grant.grant_id)) == "grant_unknown"
        denied = desk.do(lambda tx: consents.decline(tx, desk.at, by_page.asking(), grant.grant_id))
        assert code_of(denied) == "grant_unknown"

    def test_is_done_once(self, desk: Desk, ada: Person, helper: Attested) -> None:
        requests = [helper.pushed() for _ in range(2)]
        for request in requests:
            helper.show(ada, request)
        user_id, (one, other) = ada.user.user_id, (each.request_id for each in requests)
        minted = desk.do(lambda tx: authorizations.challenge(tx, desk.at, user_id, one))
        assert outcome(minted) == "shown"
        evidence = desk.evidence(minted, ada.devices[0])  # type: ignore[arg-type]  # it was shown
        verdict = desk.look(lambda tx: authorizations.check(tx, desk.at, user_id, one, evidence))
        answers = [
            desk.do(lambda tx, name=name: authorizations.agree(tx, desk.at, user_id, name, verdict, "c"))  # type: ignore[misc]
            for name in (one, one, other)
        ]
        assert [code_of(answer) for answer in answers] == [None, "invalid_request", "challenge_unknown"]
        with pytest.raises(Refused, match="already"):
            desk.look(lambda tx: authorizations.check(tx, desk.at, user_id, one, evidence))

    def test_of_what_is_not_there_nothing_is_checked(self, desk: Desk, ada: Person) -> None:
        user_id = ada.user.user_id
        with pytest.raises(Refused) as refused:
            desk.look(lambda tx: authorizations.check(tx, desk.at, user_id, "none", {}))
        denied = desk.do(lambda tx: authorizations.decline(tx, desk.at, user_id, "none"))
        assert refused.value.refusal.code == code_of(denied) == "grant_unknown"

    def test_a_no_is_kept_and_recorded(self, desk: Desk, ada: Person, helper: Attested) -> None:
        request, user_id = helper.pushed(), ada.user.user_id
        helper.show(ada, request)
        denied = desk.do(lambda tx: authorizations.decline(tx, desk.at, user_id, request.request_id))
        assert isinstance(denied, AuthorizationRequest)
        assert (denied.status, desk.last()["kind"]) == (Status.DENIED, "grant.declined")
        assert code_of(helper.show(ada, request)) == "invalid_request"


class TestCodes:
    """OAUTH-5."""

    def test_bring_a_grant_for_the_agents_key(self, ada: Person, helper: Attested) -> None:
        assert isinstance(helper.collect(helper.agreed(ada)), Renewable)
        assert (helper.grant.jkt, helper.grant.state) == (helper.jkt, GrantState.ACTIVE)
        assert helper.call(ada) == "approved"

    @pytest.mark.parametrize(
        "changed",
        [
            {"redirect_uri": "http://127.0.0.1/callback"},
            {"code_verifier": "v" * 43},
            {"code_verifier": "v"},
            {"code": "another"},
            {"client": {"jkt": v.jkt("another")}},
        ],
        ids=str,
    )
    def test_collect_nothing_for_what_differs_from_what_was_pushed(
        self, ada: Person, helper: Attested, changed: dict[str, Any]
    ) -> None:
        said: dict[str, Any] = {"code": helper.agreed(ada)}
        other = {**said, **changed}
        other["client"] = helper.client(**changed.get("client", {}))
        assert code_of(helper.collect(**other)) == "invalid_grant"
        assert code_of(helper.collect(**said)) is None  # nothing of it was used up

    def test_collect_nothing_for_another_client(self, desk: Desk, ada: Person, helper: Attested) -> None:
        code, thief = helper.agreed(ada), Attested.make(desk)
        thief.verifier, thief.jkt = helper.verifier, helper.jkt
        assert code_of(thief.collect(code)) == "invalid_grant"

    def test_live_60_seconds(self, desk: Desk, ada: Person, helper: Attested) -> None:
        other = Attested.make(desk)
        kept, lost = helper.agreed(ada), other.agreed(ada)
        desk.now += 59
        assert code_of(helper.collect(kept)) is None
        desk.now += 1
        assert code_of(other.collect(lost)) == "invalid_grant"

    @pytest.mark.parametrize("waited", [0, 1, 61, 599])
    def test_used_twice_revoke_what_the_first_use_got(
        self, desk: Desk, ada: Person, helper: Attested, waited: int
    ) -> None:
        code = helper.agreed(ada)
        assert code_of(helper.collect(code)) is None
        desk.now += waited
        assert code_of(helper.collect(code)) == "invalid_grant"
        assert desk.last().items() >= {"kind": "grant.revoked", "by": "authority"}.items()
        assert code_of(helper.renew()) == "invalid_grant"
        assert helper.call(ada) == "grant_revoked"

    def test_collect_nothing_of_a_grant_that_was_taken_back(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:
        code = helper.agreed(ada)
        desk.revoke(desk.last()["grant_id"])
        assert code_of(helper.collect(code)) == "invalid_grant"

    def test_of_an_agent_whose_document_changed_mean_asking_again(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:  # OAUTH-6
        code = helper.agreed(ada)
        changed = helper.client(document=replace(helper.document, redirect_uris=()))
        assert code_of(helper.collect(code, changed)) == "invalid_client"
        assert desk.last()["kind"] == "grant.revoked"
        assert code_of(helper.collect(code)) == "invalid_grant"

    def test_are_no_device_codes_and_device_codes_no_codes(self, ada: Person, helper: Attested) -> None:
        code = helper.agreed(ada)
        assert code_of(helper.poll(code)) == "invalid_grant"
        helper.agreed(ada, device_code="device")
        assert code_of(helper.collect("device")) == "invalid_grant"


class TestDevices:
    """OAUTH-7; RFC 8628."""

    def test_wait_for_the_user_and_then_collect(self, desk: Desk, ada: Person, helper: Attested) -> None:
        request = helper.pushed(device_code="d1")
        assert code_of(helper.poll("d1")) == "authorization_pending"
        helper.show(ada, request)
        settled = helper.agree(ada, request)
        assert not isinstance(settled, Refusal)
        assert settled[1] is None  # it has its code
        desk.now += 5
        assert code_of(helper.poll("d1")) is None
        assert (helper.grant.jkt, helper.call(ada)) == (helper.jkt, "approved")
        assert code_of(helper.poll("d1")) == "invalid_grant"  # which revokes
        assert helper.call(ada) == "grant_revoked"

    def test_that_ask_too_often_are_slowed_down(self, desk: Desk, helper: Attested) -> None:
        helper.pushed(device_code="d2")
        for waited, told in [
            (0, "authorization_pending"),
            (4, "slow_down"),  # from now on every 10 s
            (9, "slow_down"),  # every 15 s
            (15, "authorization_pending"),
            (14, "slow_down"),
            (-3600, "authorization_pending"),  # a clock that went back keeps nobody waiting
        ]:
            desk.now += waited
            assert code_of(helper.poll("d2")) == told

    @pytest.mark.parametrize("opened_after", [None, 10, 599])
    def test_are_given_up_after_600_seconds_whenever_the_page_was_opened(
        self, desk: Desk, ada: Person, helper: Attested, opened_after: int | None
    ) -> None:
        code = f"d3 {opened_after}"
        request = helper.pushed(device_code=code)
        if opened_after is not None:
            desk.now += opened_after
            assert isinstance(helper.show(ada, request), Grant)
        desk.now += 600 - (opened_after or 0)
        assert code_of(helper.poll(code)) == "expired_token"
        assert code_of(helper.show(ada, request)) == "invalid_request"
        answer = helper.agree(ada, request) if opened_after is not None else None
        assert answer is None or code_of(answer) in ("expired", "invalid_request")

    def test_get_nothing_by_a_consent_that_comes_too_late(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:
        request, user_id = helper.pushed(device_code="d4"), ada.user.user_id
        desk.now += 590
        helper.show(ada, request)
        name = request.request_id
        minted = desk.do(lambda tx: authorizations.challenge(tx, desk.at, user_id, name))
        evidence = desk.evidence(minted, ada.devices[0])  # type: ignore[arg-type]  # it was shown
        verdict = desk.look(lambda tx: authorizations.check(tx, desk.at, user_id, name, evidence))
        desk.now += 10
        late = desk.do(lambda tx: authorizations.agree(tx, desk.at, user_id, name, verdict, "c"))
        assert code_of(late) == "invalid_request"
        assert code_of(helper.poll("d4")) == "expired_token"

    def test_hear_a_no(self, desk: Desk, ada: Person, helper: Attested) -> None:
        request = helper.pushed(device_code="d5")
        helper.show(ada, request)
        desk.do(lambda tx: authorizations.decline(tx, desk.at, ada.user.user_id, request.request_id))
        assert code_of(helper.poll("d5")) == "access_denied"

    def test_collect_with_the_client_and_key_that_began(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:
        helper.agreed(ada, device_code="d6")
        other = Attested.make(desk)
        assert code_of(other.poll("d6", other.client(jkt=helper.jkt))) == "invalid_grant"
        assert code_of(helper.poll("d6", helper.client(jkt=other.jkt))) == "invalid_grant"
        assert code_of(helper.poll("d7")) == "invalid_grant"
        assert code_of(helper.poll("d6")) is None

    def test_codes_that_people_type_cannot_be_guessed(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:
        request = helper.pushed(device_code="d8")
        good = request.user_code
        assert good is not None

        def typed(person: Person, code: str) -> object:
            return desk.do(lambda tx: authorizations.typed(tx, desk.at, person.user.user_id, code))

        assert typed(ada, good) == request
        for _ in range(10):
            assert typed(ada, "BCDF-GHJK") is None
        assert code_of(typed(ada, good)) == code_of(typed(ada, "BCDF-GHJK")) == "too_many_requests"
        assert typed(desk.person(), good) == request  # somebody else guessed nothing
        desk.now += 599
        assert code_of(typed(ada, good)) == "too_many_requests"
        desk.now += 1
        assert typed(ada, "BCDF-GHJK") is None


class TestRenewal:
    """GRANT-6, TOKEN-4, OAUTH-1."""

    def test_needs_the_client_and_the_key(self, desk: Desk, ada: Person, helper: Attested) -> None:
        helper.deputized(ada)
        thief = Attested.make(desk)
        thief.jkt = helper.jkt
        assert code_of(thief.renew(held=helper.holds)) == "invalid_grant"
        assert code_of(helper.renew(helper.client(jkt=v.jkt("another")))) == "invalid_grant"
        assert code_of(helper.renew(helper.client(assertion=None))) == "invalid_grant"  # OAUTH-1
        assert code_of(helper.renew()) is None

    def test_by_an_older_token_revokes_the_grant(self, desk: Desk, ada: Person, helper: Attested) -> None:
        older = helper.deputized(ada).holds
        helper.renew()
        desk.now += 60
        assert code_of(helper.renew(held=older)) == "invalid_grant"
        assert code_of(helper.renew()) == "invalid_grant"
        assert helper.call(ada) == "grant_revoked"

    def test_gives_the_same_scopes_or_none(self, ada: Person, helper: Attested) -> None:
        helper.deputized(ada, "account:read")
        for scope in (BOTH, "payments:write"):
            assert code_of(helper.renew(scope=scope)) == "invalid_scope"
        assert code_of(helper.renew(scope="account:read")) is None


class TestGivingBack:
    """OAUTH-9."""

    def give_back(
        self, desk: Desk, who: Attested, grant_id: GrantId | None, client: Client | None = None
    ) -> Code | None:
        by = client or who.client()
        return code_of(desk.do(lambda tx: authorizations.give_back(tx, desk.at, by, grant_id)))

    def test_ends_ones_own_and_nothing_else(self, desk: Desk, ada: Person, helper: Attested) -> None:
        held, other = helper.deputized(ada).grant.grant_id, Attested.make(desk)
        for who, what in ((other, held), (helper, None), (helper, v.grant_id("nothing"))):
            assert self.give_back(desk, who, what) is None  # RFC 7009 §2.2
            assert helper.call(ada) == "approved"
        assert self.give_back(desk, helper, held) is None
        assert (desk.last()["kind"], desk.last()["by"]) == ("grant.revoked", "agent")
        assert helper.call(ada) == "grant_revoked"

    def test_needs_proofs_that_nobody_has_used(
        self, desk: Desk, ada: Person, helper: Attested
    ) -> None:  # PROOF-2
        held, client = helper.deputized(ada).grant.grant_id, helper.client()
        assert self.give_back(desk, helper, None, client) is None
        assert self.give_back(desk, helper, held, client) == "invalid_client"
        assert helper.call(ada) == "approved"


class TestUnproven:
    """An app that proves nothing."""

    def test_is_told_apart_in_what_is_signed_and_recorded(
        self, desk: Desk, ada: Person, app: Attested
    ) -> None:
        app.deputized(ada)
        assert app.grant.shown["unproven"] is True
        assert (app.grant.bearer, app.grant.unproven) == (True, True)
        assert app.delegation.assurance is Assurance.OPAQUE
        assert (desk.last()["kind"], desk.last()["unproven"]) == ("grant.active", True)

    def test_may_have_what_both_kinds_may_have(self, desk: Desk) -> None:  # BEARER-2
        app = Attested.unproven(desk, "account:read vault:open")
        assert code_of(app.push(app.request("account:read"))) is None
        assert code_of(app.push(app.request("vault:open"))) == "invalid_scope"  # not for opaque ones
        assert code_of(app.push(app.request("payments:write"))) == "invalid_scope"  # nor of this origin
        known = Attested.make(desk)
        known.assurance, known.jkt, known.proves = Assurance.OPAQUE, NO_KEY, False
        assert code_of(known.push(known.request())) == "invalid_scope"

    def test_renews_once_with_each_token(self, desk: Desk, ada: Person, app: Attested) -> None:  # BEARER-5
        """No grace (TOKEN-4): the second may be the thief, or the first was."""
        stolen = app.deputized(ada).holds
        for _ in range(3):
            desk.now += 300
            assert code_of(app.renew()) is None
        assert code_of(app.renew(held=stolen)) == "invalid_grant"
        assert desk.last()["kind"] == "grant.revoked"
        assert code_of(app.renew()) == "invalid_grant"

    @pytest.mark.parametrize("waited", [0, 1, 59])
    def test_that_comes_second_ends_it(
        self, desk: Desk, ada: Person, app: Attested, waited: int
    ) -> None:  # BEARER-5
        stolen = app.deputized(ada).holds
        app.renew()
        desk.now += waited
        assert code_of(app.renew(held=stolen)) == "invalid_grant"
        assert code_of(app.renew()) == "invalid_grant"

    def test_has_nothing_any_more_when_it_is_turned_off(
        self, desk: Desk, ada: Person, app: Attested
    ) -> None:  # BEARER-5
        waiting, code, verifier = app.pushed(), app.agreed(ada), app.verifier
        app.deputized(ada)
        desk.policy = replace(desk.policy, bearer=False)
        assert code_of(app.renew()) == "invalid_grant"
        assert code_of(app.collect(code, code_verifier=verifier)) == "invalid_grant"
        assert code_of(app.show(ada, waiting)) == "invalid_request"

    def test_is_not_the_same_as_with_its_key(self, desk: Desk, ada: Person, app: Attested) -> None:
        """BEARER-2, OAUTH-1: what was had with a key is not renewed without, nor the other way round."""
        keyed = Attested(desk, app.client_id, v.jkt(app.client_id), assurance=Assurance.ORIGIN)
        keyed.deputized(ada)
        app.deputized(ada)
        assert keyed.delegation.assurance is Assurance.ORIGIN
        assert code_of(app.renew(held=keyed.holds)) == "invalid_grant"
        assert code_of(keyed.renew(held=app.holds)) == "invalid_grant"
        assert code_of(keyed.renew()) == code_of(app.renew()) is None
        assert keyed.delegation.assurance is Assurance.ORIGIN
        assert app.delegation.assurance is Assurance.OPAQUE
        code = keyed.agreed(ada)
        app.verifier = keyed.verifier
        assert code_of(app.collect(code)) == "invalid_grant"

    def test_with_a_key_of_its_own_has_what_is_bound_to_it(
        self, desk: Desk, ada: Person, app: Attested
    ) -> None:  # BEARER-7
        bound = replace(app, jkt=v.jkt(("bound", app.client_id)))
        app.deputized(ada)  # on another machine it is another one (GRANT-3)
        code = app.agreed(ada)
        bound.verifier = app.verifier
        assert isinstance(bound.collect(code), Renewable)
        assert (bound.grant.jkt, bound.grant.bearer) == (bound.jkt, False)
        assert code_of(app.renew(held=bound.holds)) == "invalid_grant"
        older = bound.holds
        assert code_of(bound.renew()) is None
        desk.now += 59
        assert code_of(bound.renew(held=older)) is None  # TOKEN-4: an answer that was lost

    def test_of_one_key_the_newer_grant_stands(
        self, desk: Desk, ada: Person, app: Attested
    ) -> None:  # BEARER-7, GRANT-3
        bound, kept = replace(app, jkt=v.jkt(("bound", app.client_id))), []
        for _ in range(2):
            code = app.agreed(ada)
            bound.verifier = app.verifier
            assert isinstance(bound.collect(code), Renewable)
            kept.append(bound.holds)
        assert desk.last()["kind"] == "grant.superseded"
        assert code_of(bound.renew(held=kept[0])) == "invalid_grant"
        assert code_of(bound.renew(held=kept[1])) is None


def test_a_new_consent_ends_the_older_one_of_the_same_key(
    desk: Desk, ada: Person, helper: Attested
) -> None:  # GRANT-3
    older = helper.deputized(ada).delegation
    helper.deputized(ada)
    assert desk.said(ada, older) == "invalid_token"
    assert helper.call(ada) == "approved"


def test_the_authoritys_own_page_has_no_key(desk: Desk, ada: Person, helper: Attested) -> None:  # OAUTH-4
    grant, elsewhere = helper.show(ada, helper.pushed()), PageRequest(ada.user.user_id, None)
    assert isinstance(grant, Grant)
    minted = desk.do(lambda tx: consents.challenge(tx, desk.at, elsewhere, grant.grant_id))
    assert outcome(minted) == "shown"
