"""SEP-2672 §4.10: one code, one closed list of reasons, on this surface only (MCP-7)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from tests.web.mcp.conftest import LEGACY, MODERN, TRANSFER, LiveBank

from deputize.protocol.errors import Code, Refusal
from deputize.protocol.rpc import APPROVAL, REFUSED, rpc_error

CLOSED = {
    "missing_evidence",
    "unsupported_method",
    "challenge_unknown",
    "challenge_consumed",
    "challenge_expired",
    "challenge_wrong_tool",
    "unknown_credential",
    "authenticator_class_mismatch",
    "signature_verification_failed",
    "signature_counter_regression",
    "argument_hash_mismatch",
    "tool_not_approved_required",
    "no_eligible_credential",
    "credential_already_enrolled",
    "no_pending_enrollment",
    "verification_failed",
}


def test_the_list_is_the_proposals() -> None:
    assert {code.value for code in Code if code.is_reason} == CLOSED


@pytest.mark.parametrize("code", list(Code))
def test_an_approval_refusal_has_the_code_and_a_reason_and_no_other_has(code: Code) -> None:
    error: Mapping[str, Any] = rpc_error(Refusal(code, "Because.", {"more": 1}))
    assert error["message"] == "Because."
    assert error["data"]["more"] == 1
    if code.value in CLOSED:
        assert (error["code"], error["data"]["reason"]) == (APPROVAL, code.value) == (-32001, code.value)
    else:
        assert error["code"] != -32001
        assert "reason" not in error["data"]
        assert error["data"]["code"] == code.value


def test_our_own_code_is_where_implementations_have_theirs() -> None:
    assert -32019 <= REFUSED <= -32000
    assert REFUSED not in {-32000, -32001, -32002}  # those that the SDK and older versions use


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_a_refusal_looks_on_the_wire_as_the_proposal_shows(live: LiveBank, mode: str) -> None:
    deputy = await live.deputy(mode)
    with pytest.raises(MCPError) as caught:
        await deputy.call()
    assert caught.value.code == -32001
    assert caught.value.message
    assert caught.value.data["reason"] == "missing_evidence"
    assert caught.value.data["call_id"] == live.last()["call_id"]


@pytest.mark.anyio
async def test_reasons_are_the_same_in_every_language(live: LiveBank) -> None:
    deputy = await live.deputy()
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    message = {**call, "params": {"name": "transfer_money", "arguments": TRANSFER}}
    for language in ("de", "tlh", "*"):
        answer = await live.post(message, deputy.agent, **{"accept-language": language})
        assert answer.json()["error"]["data"]["reason"] == "missing_evidence"


def test_every_reason_is_shown_by_some_test() -> None:
    texts = "".join(
        path.read_text()
        for path in Path(__file__).parent.glob("test_*.py")
        if path.name != Path(__file__).name
    )
    assert {reason for reason in CLOSED if not re.search(rf'"{reason}"', texts)} == set()
