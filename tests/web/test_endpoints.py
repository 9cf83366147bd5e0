"""The table of endpoints: handlers take and return what it says, and nobody comes past who may not."""

from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from starlette.responses import Response
from tests.bank import Bank

from deputize.protocol.canonical import Json
from deputize.protocol.errors import Refusal
from deputize.testing.page import Page
from deputize.web.access import AT_OURS, CALLS_PAGE, OWN_USER, PAGE, SESSION, USER, USER_OR_PAGE
from deputize.web.context import Context
from deputize.web.endpoint import Endpoint
from deputize.web.endpoints import ENDPOINTS, WELL_KNOWN
from deputize.web.oauth.parameters import Form
from deputize.web.refusals import Dialect

HANDLED = [each for each in (*ENDPOINTS, *WELL_KNOWN) if each.handler is not None]
OF_USERS = [
    each
    for each in ENDPOINTS
    if each.access in (AT_OURS, CALLS_PAGE, OWN_USER, PAGE, SESSION, USER, USER_OR_PAGE)
    and each.dialect is not Dialect.PAGE
]
"""What programs ask; who is refused a page reads a page (`test_page_refusals.py`)."""
BODIES: dict[str, Json] = {
    "/grants": {"scope": "account:read"},
    "/authorize/request_id/denial": {},
    "/ask/asked_id/denial": {},
    "/denial": {"reason": "declined"},
    "/events": {"type": "delivered"},
    "/account/questions": {"asker": "browsers"},
}


def name(endpoint: Endpoint) -> str:
    return endpoint.name


@pytest.mark.parametrize("endpoint", HANDLED, ids=name)
def test_a_handler_takes_and_returns_what_its_row_says(endpoint: Endpoint) -> None:
    hints = get_type_hints(endpoint.handler)
    told = hints.pop("return")
    first, *others = hints.values()
    assert first is Context
    body = Form if endpoint.form else endpoint.body
    assert (others[-1:] == [body]) if body is not None else len(others) <= 1
    proves = endpoint.access.by or endpoint.access.before
    who = get_type_hints(proves)["return"] if proves else type(None)
    assert others[: len(others) - (body is not None)] == ([] if who is type(None) else [who])
    answers = {
        kind for said in endpoint.answers.values() for kind in (said if isinstance(said, tuple) else (said,))
    }
    for kind in get_args(told) if isinstance(told, UnionType) else (told,):
        assert (
            _is_open(kind)
            or kind in answers
            or any(isinstance(each, type) and issubclass(each, kind) for each in answers)
        )


def _is_open(kind: Any) -> bool:
    """Tell whether a handler writes its answer itself: then `test_openapi.py` holds it to the table."""
    return kind in (Response, Refusal, object, type(None)) or getattr(kind, "__origin__", None) is dict


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", OF_USERS, ids=name)
async def test_without_what_it_needs_nothing_is_done(bank: Bank, grace: Page, endpoint: Endpoint) -> None:
    """SESSION-2, PROOF-3: with nothing; with a session alone; with a proof or a token, and a session that has ended."""
    path = endpoint.path.replace("{", "").replace("}", "")
    body: Json = next((body for end, body in BODIES.items() if path.endswith(end)), {})
    size = len(bank.entries())
    stranger = await bank.page().send(endpoint.method, path, body)
    assert (stranger.status_code, stranger.json()["code"]) == (401, "login_required")
    alone = await grace.http.request(endpoint.method, bank.issuer + path, json=body)
    assert alone.json().get("code") in NEEDED[endpoint.access]
    cookies = dict(grace.http.cookies)
    await grace.send("POST", "/account/sign-out", page=False)
    grace.http.cookies.update(cookies)
    ended = await grace.send(endpoint.method, path, body)
    assert (ended.status_code, ended.json()["code"]) == (401, "login_required")
    assert len(bank.entries()) == size


NEEDED = {
    **dict.fromkeys((CALLS_PAGE, PAGE), ("invalid_dpop_proof",)),
    SESSION: (None, "grant_unknown"),  # it needs no more; and of what the address names there may be none
    **dict.fromkeys((AT_OURS, OWN_USER, USER, USER_OR_PAGE), ("cross_site_request",)),
}
