"""What an agent got, taken apart."""

from typing import Any

import pytest

from deputize.testing.agent import ToolResult

REFUSAL = {
    "isError": True,
    "content": [{"type": "text", "text": "Nobody is signed in."}],
    "structuredContent": {"code": "login_required", "correlation_id": None, "retryable": True},
}


def test_a_refusal_has_its_code_and_its_sentence() -> None:
    result = ToolResult(REFUSAL)
    assert result.refused
    assert result.code == "login_required"
    assert result.correlation_id is None
    assert result.structured["retryable"] is True
    assert result.text == "Nobody is signed in."


def test_a_refused_call_has_the_id_that_the_record_knows_it_by() -> None:
    structured = {"code": "declined", "correlation_id": "cal_1", "retryable": False}
    assert ToolResult({**REFUSAL, "structuredContent": structured}).correlation_id == "cal_1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ({"balance": 5}, '{"balance": 5}'),
        (None, "null"),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]},
            "a\nb",
        ),
    ],
)
def test_a_success_has_no_code(value: Any, text: str) -> None:
    result = ToolResult(value)
    assert (result.refused, result.code, result.text) == (False, None, text)
