"""What 401 says: how to come, and what was wrong only where something was sent that could be (RFC 6750 §3.1, ERR-2)."""

import pytest
from tests.bank import ISSUER, Bank

from deputize.testing.page import Page
from deputize.web.endpoints import ENDPOINTS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", [each.name for each in ENDPOINTS if each.method != "GET"])
async def test_err_2_who_sent_nothing_made_no_error(bank: Bank, name: str) -> None:
    """Whatever it asks for: no token, no proof, no cookie; and with a body that is wrong or right."""
    method, _, path = name.partition(" ")
    url = ISSUER + path.replace("{", "").replace("}", "")
    for body in (
        {},
        {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43},
        {"call_token": "x"},
    ):
        answer = await bank.client().request(method, url, json=body)
        if answer.status_code == 401:
            assert "error=" not in answer.headers["www-authenticate"]
            assert answer.headers["www-authenticate"].startswith("DPoP ")


async def test_err_2_who_sent_something_is_told_what_was_wrong(bank: Bank, grace: Page) -> None:
    body = {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43}
    for headers, code in (
        ({"deputize-page": "x"}, "invalid_dpop_proof"),
        ({"authorization": "DPoP x"}, "invalid_token"),
        ({"authorization": f"DPoP {grace.tokens['access_token']}"}, "invalid_dpop_proof"),
    ):
        answer = await bank.client().post(f"{ISSUER}/calls", json=body, headers=headers)
        assert answer.status_code == 401
        assert f'error="{code}"' in answer.headers["www-authenticate"]


async def test_err_2_a_call_without_anything_is_one_of_them(bank: Bank) -> None:
    body = {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43}
    answer = await bank.client().post(f"{ISSUER}/calls", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_dpop_proof")
    assert answer.headers["www-authenticate"] == 'DPoP algs="ES256"'
