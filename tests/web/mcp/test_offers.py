"""What is offered, and how it is told: SEP-2672 §4.2 and §4.3."""

import pytest
from tests.web.mcp.conftest import ANNOTATION, LEGACY, MODERN, LiveBank, refused

from deputize.app import HandledCall
from deputize.protocol.canonical import Json

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


@BOTH
async def test_4_2_a_tool_that_needs_an_approval_says_required_verified(live: LiveBank, mode: str) -> None:
    tools = {tool.name: tool for tool in (await (await live.deputy(mode)).client.list_tools()).tools}
    annotated = {name: (tool.meta or {}).get(ANNOTATION) for name, tool in tools.items()}
    assert annotated == {  # MCP-5: always the class too, also where it is the proposal's default
        "get_balance": None,
        "transfer_money": {"required": "verified", "authenticatorClass": "platform"},
        "pay_bill": {"required": "verified", "authenticatorClass": "platform"},
        "close_account": {"required": "verified", "authenticatorClass": "cross-platform"},
        "note": None,
        "order_card": {"required": "verified", "authenticatorClass": "platform"},
        "search_help": None,
    }


async def test_mcp_5_what_has_neither_handler_nor_endpoint_is_not_offered(live: LiveBank) -> None:
    deputy = await live.deputy()
    assert "not_offered" not in {tool.name for tool in (await deputy.client.list_tools()).tools}
    async with refused("tool_not_approved_required"):
        await deputy.challenge("not_offered", {})


async def test_mcp_5_a_tool_is_listed_with_what_an_agent_needs_to_know(live: LiveBank) -> None:
    tools = {tool.name: tool for tool in (await (await live.deputy()).client.list_tools()).tools}
    assert tools["transfer_money"].description == "Send money"
    assert (tools["transfer_money"].title, tools["get_balance"].title) == ("Make a transfer", None)
    assert tools["transfer_money"].input_schema["required"] == ["amount", "name"]
    assert tools["get_balance"].description == "Tell the balance."
    assert tools["get_balance"].input_schema == {"type": "object"}
    paid = live.deputize.policy.tools["pay_bill"].input_schema
    assert paid is not None
    assert tools["pay_bill"].input_schema == {**paid.source, "type": "object"}  # the policy says none
    hints = {name: tool.annotations and tool.annotations.read_only_hint for name, tool in tools.items()}
    assert (hints["get_balance"], hints["transfer_money"]) == (True, False)


@pytest.mark.parametrize("mode", [LEGACY, "auto"])
async def test_4_3_a_server_declares_the_capability(live: LiveBank, mode: str) -> None:
    """MCP-6: in the answer to `initialize`, and to `server/discover`."""
    client = (await live.deputy(mode)).client
    assert client.protocol_version == ("2025-11-25" if mode == LEGACY else "2026-07-28")
    assert client.server_capabilities.extensions == {"verifiedApproval": {}}
    assert client.server_capabilities.tools is not None


@BOTH
async def test_4_3_a_call_without_evidence_is_rejected(live: LiveBank, mode: str) -> None:
    deputy = await live.deputy(mode)
    async with refused("missing_evidence"):
        await deputy.call("transfer_money")
    assert live.ledger.done == []


@BOTH
async def test_4_2_a_tool_without_the_annotation_is_called_as_any_other(live: LiveBank, mode: str) -> None:
    deputy = await live.deputy(mode)
    result = await deputy.call("get_balance")
    assert (result.is_error, result.structured_content) == (False, {"balance": 1000})


async def test_4_2_unknown_members_beside_the_evidence_are_tolerated(live: LiveBank) -> None:
    deputy = await live.deputy()
    evidence = deputy.evidence(await deputy.challenge(), note="from another version")
    assert not (await deputy.call(evidence=evidence, other={"x": 1})).is_error


class TestHandlers:
    """MCP-5: which tools may have a handler."""

    @pytest.mark.parametrize("tool", ["no_such_tool", "order_card", "get_balance"])
    async def test_one_that_the_policy_does_not_have_or_that_has_one_already_may_not(
        self, live: LiveBank, tool: str
    ) -> None:
        def handler(arguments: dict[str, Json], call: HandledCall) -> object:
            return None

        with pytest.raises(ValueError, match=tool):
            live.deputize.handler(tool)(handler)

    async def test_a_public_tool_leaves_no_record(self, live: LiveBank) -> None:  # CALL-8
        deputy = await live.deputy()
        before = len(live.entries())
        result = await deputy.call("search_help", {"about": "fees"})
        assert result.content[0].model_dump()["text"] == "Read the manual."
        assert result.meta is None
        assert len(live.entries()) == before
        assert live.ledger.calls[0].call_id is None
        assert live.ledger.calls[0].user.name == "Ada Lovelace"
