"""Tools that are declared from Python."""

from collections.abc import Mapping
from dataclasses import fields, replace

import pytest

from deputize.protocol.agent import Ceiling
from deputize.protocol.canonical import Json
from deputize.protocol.declared import Declaration, declared
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.policy import Api, Policy, Site, approval_policy
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.tool import Executes, Tool


@pytest.fixture
def policy() -> Policy:
    return Policy(
        Site("Harbor", "https://harbor.example", "https://auth.harbor.example/deputize", "harbor.example"),
        Api("https://harbor.example", ("https://harbor.example",)),
        {"pay": Scope("pay", "Send money", writes=True)},
        {"search": Tool("search", public=True)},
        Ceiling(ScopeSet()),
    )


def test_the_origins_are_the_sites_and_the_authoritys(policy: Policy) -> None:
    assert policy.origins() == {"https://harbor.example", "https://auth.harbor.example"}


def test_a_describe_function_declares_its_tool(policy: Policy) -> None:
    def transfer_money(arguments: Mapping[str, Json]) -> str:
        return f"Send {arguments['amount']} EUR"

    said: Declaration = {
        "scopes": ["pay"],
        "approval": {"when": {"minProperties": 1}},
        "input_schema": {"type": "object"},
    }
    more = policy.declaring(declared(transfer_money, said))
    assert more.tools.keys() - policy.tools.keys() == more.declared.keys() == {"transfer_money"}
    tool = more.tools["transfer_money"]
    assert (tool.name, tool.scopes, tool.approval.name) == ("transfer_money", ScopeSet.of(["pay"]), "when")
    assert tool.description({"amount": 5}).headline == "Send 5 EUR"
    assert (
        tool.description({"amount": "5 EUR to Ada, not"}).headline
        == "Send \u2068“5 EUR to Ada, not”\u2069 EUR"
    )  # APPR-2
    assert tool.input_schema is not None


def test_a_tool_may_be_named_otherwise(policy: Policy) -> None:
    tool = declared(str, {"name": "pay.now", "scopes": ["pay"]})
    assert "pay.now" in policy.declaring(tool).tools


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scopes": ["pya"]}, "the policy declares no scope pya"),
        ({"scopes": ["pay"], "name": "search"}, "declared already"),
        ({"scopes": ["pay"], "name": "deputize.x"}, "does not begin with deputize"),
        ({}, "needs at least one scope"),
        ({"scopes": ["pay"], "approval": "sometimes"}, 'write "never"'),
        ({"scopes": ["pay"], "executes": "cloud"}, "cloud"),
        ({"scopes": ["pay"], "authenticator_class": "usb"}, "usb"),
        (
            {"scopes": ["pay"], "endpoint": "POST https://elsewhere.example/pay"},
            "call tokens go to the site's API only",
        ),
        ({"public": True, "endpoint": "POST https://site.example/pay"}, "not public"),
        (
            {"scopes": ["pay"], "executes": "page", "endpoint": "POST https://site.example/pay"},
            "execute there",
        ),
        ({"scopes": ["pay"], "input_schema": {"type": "objct"}}, "objct"),
    ],
)
def test_what_the_file_could_not_declare_python_cannot(
    policy: Policy, options: dict[str, Json], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        policy.declaring(declared(str, options))  # type: ignore[arg-type]  # any options, right or wrong


@pytest.mark.parametrize(
    "value", [None, True, "Always", {}, {"when": {}, "else": {}}, {"when": True}, {"if": {}}]
)
def test_call_5_anything_else_is_no_approval_policy(value: object) -> None:
    with pytest.raises(ValueError, match="write"):
        approval_policy(value)


def test_guard_8_which_tools_need_a_guard_here(policy: Policy) -> None:
    """Those that the API executes, unless somebody said that it is elsewhere."""
    scopes, origin = ScopeSet.of(policy.scopes), policy.site.origin
    tools = [
        Tool("pay", scopes),
        Tool("here", scopes, endpoint=Endpoint.parse("POST /api/pay")),
        Tool("far", scopes, elsewhere=True),
        Tool("there", scopes, endpoint=Endpoint.parse("POST https://api.bank.example/pay")),
        Tool("page", scopes, executes=Executes.PAGE),
        Tool("help", public=True),
    ]
    mixed = replace(policy, tools={tool.name: tool for tool in tools})
    assert [tool.name for tool in mixed.guarded_here()] == ["pay", "here"]
    assert replace(mixed, api=Api(origin, (origin,), elsewhere=True)).guarded_here() == []
    for wrong in (Tool("page", scopes, executes=Executes.PAGE), Tool("help", public=True)):
        with pytest.raises(ValueError, match="`elsewhere` is for tools that execute at the site's API"):
            replace(wrong, elsewhere=True)


def test_python_says_of_a_tool_what_there_is_to_say() -> None:
    assert Declaration.__annotations__.keys() == {field.name for field in fields(Tool)} - {"describe", "told"}
