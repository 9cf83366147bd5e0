"""Whoever a row of the table is for proves it, before anything of the request is looked at: by each proof, each way to
get it wrong, on every row that asks for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
import pytest
from tests.bank import Bank
from tests.web.agents import Client, new_key

from deputize.crypto import dpop
from deputize.protocol.canonical import Json
from deputize.protocol.ids import UserId
from deputize.service.ports import Reader, Store
from deputize.testing.page import Page
from deputize.web import access
from deputize.web.access import Access
from deputize.web.endpoint import Endpoint
from deputize.web.endpoints import ENDPOINTS
from deputize.web.refusals import Dialect

pytestmark = pytest.mark.anyio

BY_SESSION = (access.USER, access.AT_OURS, access.OWN_USER, access.USER_OR_PAGE, access.ENROLLING)
BY_PAGE = (access.PAGE, access.CALLS_PAGE, access.DEPUTY)
OF_BROWSERS = (*BY_SESSION, *BY_PAGE, access.GUARD, access.NEWCOMER, access.ENROLLED, access.SITE_PAGE)
ASKING_NOTHING = (access.ANYONE, access.VISITOR)
CALL: Json = {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43}
GOOD: dict[str, Json] = {
    "/calls": CALL,
    "/grants": {"scope": "account:read"},
    "/calls/{call_id}/redemption": {"call_token": "x"},
    "/calls/{call_id}/outcome": {"outcome": "failed"},
    "/calls/{call_id}/denial": {"reason": "declined"},
    "/calls/{call_id}/events": {"type": "delivered"},
    "/account/questions": {"asker": "browsers"},
    "/account/sign-up": {"name": "Mallory"},
    "/account/sign-up/{challenge_id}": {"response": {}},
    "/account/sign-in/{challenge_id}": {"response": {}},
    "/credentials/{id}": {"response": {}},
}


def path_of(row: Endpoint) -> str:
    return row.path.replace("{", "").replace("}", "")


def header_of(row: Endpoint) -> str:
    return "deputize-guard" if row.access is access.GUARD else "deputize-page"


@dataclass
class Trial:
    """One request of a row, by a user who has all that it needs; a fault changes that."""

    page: Page
    row: Endpoint
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = {"origin": self.page.origin, "deputize-csrf": self.page.csrf}
        if self.row.access in (*BY_PAGE, access.GUARD):
            self.headers["deputize-page"] = self.proof()

    def proof(self, method: str = "", path: str = "", at: float = 0) -> str:
        page = self.page
        kept, page.clock = page.clock, (lambda: kept() + at) if at else page.clock
        try:
            return page.proof(method or self.row.method, path or path_of(self.row))
        finally:
            page.clock = kept

    async def send(self, http: httpx2.AsyncClient | None = None, *more: tuple[str, str]) -> httpx2.Response:
        return await (http or self.page.http).request(
            self.row.method,
            self.page.issuer + path_of(self.row),
            json=GOOD.get(self.row.path, {}),
            headers=[*self.headers.items(), *more],
        )


Fault = Callable[[Trial], None]


def header(name: str, value: str) -> Fault:
    return lambda trial: trial.headers.update({name: value})


def without(name: str) -> Fault:
    return lambda trial: trial.headers.pop(name, None)  # type: ignore[return-value]  # nobody looks at it


def proof(**made: str | float) -> Fault:
    return lambda trial: trial.headers.update({"deputize-page": trial.proof(**made)})  # type: ignore[arg-type]


BROWSERS = "cross_site_request"
PROOF = "invalid_dpop_proof"
FAULTS: dict[str, tuple[tuple[Access, ...], Fault, str]] = {
    "another origin": (OF_BROWSERS, header("origin", "https://evil.example"), BROWSERS),
    "an origin that ours begins": (OF_BROWSERS, header("origin", "https://bank.example.evil"), BROWSERS),
    "ours by http": (OF_BROWSERS, header("origin", "http://bank.example"), BROWSERS),
    "an origin without a name": (OF_BROWSERS, header("origin", "null"), BROWSERS),
    "an empty origin": (OF_BROWSERS, header("origin", ""), BROWSERS),
    "another site": (OF_BROWSERS, header("sec-fetch-site", "cross-site"), BROWSERS),
    "no site": (OF_BROWSERS, header("sec-fetch-site", "none"), BROWSERS),
    "no token of the page": (BY_SESSION, without("deputize-csrf"), BROWSERS),
    "an empty token of the page": (BY_SESSION, header("deputize-csrf", ""), BROWSERS),
    "a token of nobody": (BY_SESSION, header("deputize-csrf", "A" * 86), BROWSERS),
    "no proof": (BY_PAGE, without("deputize-page"), PROOF),
    "an empty proof": (BY_PAGE, header("deputize-page", ""), PROOF),
    "a proof for another method": (BY_PAGE, proof(method="PATCH"), PROOF),
    "a proof for another address": (BY_PAGE, proof(path="/calls/x"), PROOF),
    "a proof for a longer address": (BY_PAGE, proof(path="/calls/x/y/z"), PROOF),
    "a proof of the past": (BY_PAGE, proof(at=-31.0), PROOF),
    "a proof of the future": (BY_PAGE, proof(at=31.0), PROOF),
    "a guard's proof that is none": ((access.GUARD, access.RECEIVER), header("deputize-guard", "x"), PROOF),
    "a reader's proof that is none": ((access.READER,), header("deputize-reader", "x"), PROOF),
    "a reader without a proof": ((access.READER,), without("deputize-reader"), PROOF),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_on_every_row_that_asks_for_it(bank: Bank, grace: Page, fault: str) -> None:
    """SESSION-2, PROOF-1, PROOF-3."""
    kinds, spoil, code = FAULTS[fault]
    size = len(bank.entries())
    rows = [row for row in ENDPOINTS if row.access in kinds]
    assert rows
    for row in rows:
        trial = Trial(grace, row)
        spoil(trial)
        answer = await trial.send()
        assert (row.name, answer.json().get("code")) == (row.name, code)
    assert len(bank.entries()) == size


async def test_two_proofs_are_none(bank: Bank, grace: Page) -> None:
    """RFC 9449 §4.3: one header, whichever of the two is good."""
    for row in ENDPOINTS:
        if row.access in (*BY_PAGE, access.GUARD):
            trial = Trial(grace, row)
            for other in (trial.proof(), "x"):
                answer = await trial.send(None, ("deputize-page", other))
                assert (row.name, answer.json()["code"]) == (row.name, PROOF)


async def test_a_session_of_another_has_not_the_token_of_this_page(bank: Bank, grace: Page) -> None:
    """SESSION-2: the token is of the session that it was made for."""
    mallory = bank.page()
    await mallory.sign_up("Mallory")
    for row in ENDPOINTS:
        if row.access in BY_SESSION:
            trial = Trial(grace, row)
            trial.headers["deputize-csrf"] = mallory.csrf
            assert (row.name, (await trial.send()).json()["code"]) == (row.name, BROWSERS)


async def test_who_only_looks_is_signed_in(bank: Bank, grace: Page) -> None:
    """SESSION-1: nobody learns what there is."""
    for row in ENDPOINTS:
        if row.access in (access.SESSION, access.RECEIVER):
            url = bank.issuer + path_of(row)
            nobody, somebody = await bank.page().http.get(url), await grace.http.get(url)
            assert (row.name, nobody.status_code, somebody.status_code in (200, 404)) == (row.name, 401, True)


KEYS = (
    (access.GUARD, "deputize-guard", "redeemer_not_allowed"),
    (access.RECEIVER, "deputize-guard", "redeemer_not_allowed"),
    (access.READER, "deputize-reader", "reader_not_allowed"),
)


async def test_a_key_that_nobody_registered_is_no_guard(bank: Bank, grace: Page) -> None:
    """PROOF-4, LOG-8: nor does the session of a user, with a good proof of the page, make it one."""
    key = new_key()
    for row in ENDPOINTS:
        for kind, header, code in KEYS:
            if row.access is kind:
                trial = Trial(grace, row)
                trial.headers[header] = dpop.make(
                    key, row.method, grace.issuer + path_of(row), int(bank.clock()), f"jti-of-{row.path}"
                )
                answer = await trial.send()
                assert (row.name, answer.status_code, answer.json()["code"]) == (row.name, 403, code)


async def test_a_proof_of_the_page_is_good_once(bank: Bank, grace: Page) -> None:
    """PROOF-2: on every row that does something by it. What is refused over a snapshot has done nothing."""
    for row in ENDPOINTS:
        if row.access is not access.PAGE or row.path.endswith("/approval"):
            continue
        trial = Trial(grace, row)
        first = await trial.send()
        assert (row.name, first.json().get("code")) != (row.name, PROOF)
        again = await trial.send()
        assert (row.name, again.status_code, again.json()["code"]) == (row.name, 401, PROOF)


async def test_every_agent_authenticates(local: Bank, helper: Client) -> None:
    """OAUTH-1, OAUTH-2: without it no form is looked at, whatever session comes with it."""
    page = local.page()
    await page.sign_up("Ada Lovelace")
    size = len(local.entries())
    for row in ENDPOINTS:
        if row.dialect is not Dialect.OAUTH:
            continue
        kind = {"grant_type": "refresh_token"} if row.path == "/token" else {}
        for form in ({}, {"client_id": helper.client_id}, {"client_id": helper.client_id, "token": "x"}):
            answer = await page.http.post(page.issuer + path_of(row), data={**kind, **form})
            assert (row.name, answer.status_code) == (row.name, 400)
            assert answer.json()["error"] in (
                "invalid_client",
                "invalid_request",
                PROOF,
                "use_dpop_nonce",
                "invalid_grant",
            )
    assert len(local.entries()) == size


async def test_who_asks_is_known_before_the_body_is_read(bank: Bank, grace: Page) -> None:
    """A body that nobody can read tells of no row what it takes."""
    for row in ENDPOINTS:
        if row.access in OF_BROWSERS:
            url = bank.issuer + path_of(row)
            answer = await grace.http.request(
                row.method, url, content=b"{", headers={"origin": "https://evil.example"}
            )
            assert (row.name, answer.json()["code"]) == (row.name, BROWSERS)


def test_every_row_is_tried() -> None:
    """MCP, forms and the way to the site's login have tests of their own, and what asks nothing gives nothing away."""
    tried = {id(kind) for kinds, _, _ in FAULTS.values() for kind in kinds} | {id(access.SESSION)}
    rest = [row for row in ENDPOINTS if id(row.access) not in tried and not row.form]
    assert {row.method for row in rest if row.access in ASKING_NOTHING} == {"GET"}
    assert [row.name for row in rest if row.access not in ASKING_NOTHING] == [
        "POST /mcp",
        "GET /mcp",
        "GET /account/sign-in",
        "GET /account/openid",
    ]


@pytest.mark.parametrize("what", ["a call", "a consent", "a window"])
async def test_a_session_that_ends_while_its_answer_is_verified_does_nothing(
    bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """SESSION-1: signing out ends it at once, also between the snapshot and the transaction that acts."""
    if what == "a call":
        call = (await grace.call("transfer_money", {"amount": 1, "name": "Ada"})).json()
        path = f"/calls/{call['call_id']}"
    elif what == "a consent":
        path = (
            f"/grants/{(await grace.send('POST', '/grants', {'scope': 'account:read'})).json()['grant_id']}"
        )
    else:
        path = "/account/enrollment-window"
    evidence = grace.evidence((await grace.send("POST", f"{path}/challenge")).json())
    size, store = len(bank.entries()), bank.deputize.store
    glance = type(store).glance

    async def glance_and_sign_out(self: Store, fn: Callable[[Reader], object]) -> object:
        found = await glance(store, fn)
        await store.transact(lambda tx: tx.end_sessions(user))
        return found

    user = UserId((await grace.configure())["user"]["id"])
    monkeypatch.setattr(type(store), "glance", glance_and_sign_out)
    answer = await grace.send("POST", f"{path}/approval", evidence)
    assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
    assert len(bank.entries()) == size
