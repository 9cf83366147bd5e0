"""Quotas over MCP: told in a result, for the model, which can wait (QUOTA-1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import types
from tests.web.agents import HELPER
from tests.web.mcp.conftest import LEGACY, MODERN, POLICY, LiveBank, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LiveBank]:
    """Serve a bank that takes little."""
    quotas = '[quotas]\nrefused_calls = "3 in 1h"\nentries = "8 in 1h"\n'
    with serving(tmp_path / "bank", HELPER, policy=quotas + POLICY) as served:
        yield served


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_quota_1_a_model_reads_how_long_it_has_to_wait(live: LiveBank, mode: str) -> None:
    deputy = await live.deputy(mode)
    for _ in range(3):
        result = await deputy.call("pay_bill", {"memo": 5})
        assert (result.structured_content or {})["code"] == "invalid_arguments"
    size = len(live.entries())
    assert "refused_calls" in told(await deputy.call("pay_bill", {"memo": 5}))
    assert len(live.entries()) == size
    for _ in range(3):
        assert not (await deputy.call("get_balance")).is_error
    assert "entries" in told(await deputy.call("get_balance"))
    assert len(live.ledger.calls) == 3


def told(result: types.CallToolResult) -> set[object]:
    """Return the facts of a refusal by a quota."""
    facts = result.structured_content or {}
    assert result.is_error
    assert facts["code"] == "too_many_requests"
    assert 0 < facts["retry_after"] <= 3600
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    assert f"Wait {facts['retry_after']} seconds" in content.text
    return set(facts.values())
