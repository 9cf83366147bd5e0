"""What becomes of grants: a look, revocation, renewal (GRANT-5 to GRANT-7, TOKEN-4)."""

import pytest
from tests.service.agents import Browser, code_of, scopes
from tests.service.kit import Desk

from deputize.protocol.grant import Grant, GrantState
from deputize.service import grants
from deputize.service.grants import Renewable, Renewal


class TestLooking:
    def test_shows_its_user_how_it_stands(self, desk: Desk, browser: Browser) -> None:  # GRANT-7
        grant_id = browser.delegation.grant_id
        seen = desk.look(lambda tx: grants.look(tx, desk.at, browser.person.user.user_id, grant_id))
        assert isinstance(seen, Grant)
        assert seen.state is GrantState.ACTIVE

    def test_shows_nobody_else_anything(self, desk: Desk, browser: Browser) -> None:  # GRANT-7
        stranger, grant_id = desk.person().user.user_id, browser.delegation.grant_id
        assert code_of(desk.look(lambda tx: grants.look(tx, desk.at, stranger, grant_id))) == "grant_unknown"
        assert code_of(desk.look(lambda tx: grants.look(tx, desk.at, stranger, "grt_x"))) == "grant_unknown"


class TestRevocation:
    def test_bites_at_the_next_call_and_renewal(self, desk: Desk, browser: Browser) -> None:  # GRANT-5
        grant_id = browser.delegation.grant_id
        taken = desk.do(lambda tx: grants.take_back(tx, desk.at, browser.asking(), grant_id))
        assert taken is None
        assert (desk.last()["kind"], desk.last()["by"]) == ("grant.revoked", "user")
        assert desk.said(browser.person, browser.delegation) == "grant_revoked"
        assert code_of(browser.renew()) == "invalid_grant"

    def test_is_for_ones_own(self, desk: Desk, browser: Browser) -> None:
        mallory, grant_id = Browser(desk, desk.person()), browser.delegation.grant_id
        answer = desk.do(lambda tx: grants.take_back(tx, desk.at, mallory.asking(), grant_id))
        assert code_of(answer) == "grant_unknown"
        assert desk.said(browser.person, browser.delegation) == "approved"

    def test_twice_is_told_once(self, desk: Desk, browser: Browser) -> None:
        desk.revoke(browser.delegation.grant_id)
        size = len(desk.entries())
        desk.revoke(browser.delegation.grant_id)
        assert len(desk.entries()) == size


class TestRenewal:
    def test_gives_a_new_refresh_token_each_time(self, browser: Browser) -> None:  # GRANT-6, TOKEN-4
        for generation in (1, 2):
            renewed = browser.renew()
            assert isinstance(renewed, Renewable)
            assert renewed.grant.refresh_generation == generation

    def test_honors_the_previous_one_for_a_lost_answer(self, desk: Desk, browser: Browser) -> None:  # TOKEN-4
        browser.renew()
        desk.now += 59
        assert code_of(browser.renew(generation=0)) is None

    @pytest.mark.parametrize(("rotations", "wait"), [(1, 60), (2, 0)])
    def test_by_an_older_one_revokes_the_grant(
        self, desk: Desk, browser: Browser, rotations: int, wait: int
    ) -> None:  # TOKEN-4
        for _ in range(rotations):
            browser.renew()
        desk.now += wait
        assert code_of(browser.renew(generation=0)) == "invalid_grant"
        assert desk.last().items() >= {"kind": "grant.revoked", "by": "authority"}.items()
        assert desk.said(browser.person, browser.delegation) == "grant_revoked"

    def test_needs_the_grants_key(self, desk: Desk, browser: Browser) -> None:  # GRANT-6
        assert code_of(browser.renew(jkt=desk.person().page_jkt)) == "invalid_grant"
        assert code_of(browser.renew()) is None

    def test_ends_with_the_grant(self, desk: Desk, browser: Browser) -> None:
        desk.now += desk.policy.grant_lifetime
        assert code_of(browser.renew()) == "invalid_grant"

    def test_names_no_other_client_and_no_other_scopes(self, desk: Desk, browser: Browser) -> None:
        held = browser.delegation

        def renew(client_id: str | None, scope: str | None) -> object:
            asked = Renewal(held.grant_id, 0, client_id, scopes(scope) if scope is not None else None)
            return desk.do(lambda tx: grants.renew(tx, desk.at, held.jkt, asked))

        assert code_of(renew("agt_x", None)) == "invalid_grant"
        for scope in ("account:read", "account:read payments:write account:admin"):
            assert code_of(renew(None, scope)) == "invalid_scope"
        assert code_of(renew(held.client_id, str(held.scopes))) is None  # nothing of that rotated it
