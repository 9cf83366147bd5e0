"""No address of the authority takes JSON that two parsers could read differently (JSON-1, JSON-2)."""

import httpx2
import pytest
from tests.bank import Bank
from tests.ill_formed import TEXTS, VALUES
from tests.web.agents import Client
from tests.web.test_openapi import DOCUMENT

from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

BODIES = [
    *TEXTS,
    *VALUES,
    *((b'{"response":{"a":%s}}' % text, reason) for text, reason in VALUES if reason != "depth"),
]
TAKING_JSON = [
    path
    for path, item in DOCUMENT["paths"].items()
    if "application/json" in item.get("post", {}).get("requestBody", {}).get("content", {})
]
DELEGATED = {"/calls", "/mcp"}


async def post(page: Page, path: str, body: bytes) -> httpx2.Response:
    """Send these bytes as somebody who may send good ones."""
    token = str(page.tokens["access_token"])
    headers = {"origin": page.origin, "deputize-csrf": page.csrf, "content-type": "application/json"}
    if path in DELEGATED:
        headers |= {"authorization": f"DPoP {token}", "dpop": page.proof("POST", path, token)}
    else:
        headers["deputize-page"] = page.proof("POST", path)
    return await page.http.post(page.issuer + path, content=body, headers=headers)


async def address(page: Page, template: str) -> str:
    """Return an address of this form that looks at the body before it misses what the address names."""
    begin, _, name = template.rpartition("/")
    if name == "{challenge_id}":
        begun = (await page.send("POST", begin, {"name": "Ada"} if begin.endswith("up") else {})).json()
        return f"{begin}/{begun['challengeId']}"
    return template.replace("{", "").replace("}", "")


@pytest.mark.parametrize("template", TAKING_JSON)
async def test_every_address_refuses_every_ill_formed_body(local: Bank, ada: Page, template: str) -> None:
    assert (await ada.deputize("account:read payments:write")).status_code == 200
    path = await address(ada, template)
    for body, reason in BODIES:
        answer = await post(ada, path, body)
        assert answer.status_code == 400, (body, answer.text)
        said = answer.json()
        if path == "/mcp":
            assert (said["error"]["code"], said["error"]["data"]["parse_error"]) == (-32700, reason)
        else:
            assert (said["code"], said["detail"]) == (
                "invalid_request",
                f"The body is not strict JSON: {reason}.",
            )


def test_all_that_take_json_are_asked() -> None:
    assert len(TAKING_JSON) == 28
    assert {"/calls", "/mcp", "/grants", "/credentials", "/account/sign-in/{challenge_id}"} <= {*TAKING_JSON}


async def test_every_ill_formed_limit_in_a_form_is_refused(local: Bank, helper: Client) -> None:
    for text, reason in [*TEXTS, *VALUES]:
        if reason == "not_utf8":  # is no form either
            continue
        limits = {"authorization_details": text.decode()}
        for answer in (
            await helper.par(**limits),
            await helper.post("/device_authorization", {"scope": "account:read", **limits}),
        ):
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details"), (
                text
            )
            assert answer.json()["error_description"].endswith(f": {reason}.")
