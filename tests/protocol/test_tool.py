"""Tools: what a declaration may say, and the words that a user reads."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.credential import AuthenticatorClass, Credential, counter_moves, known_transports
from deputize.protocol.ids import CredentialId, UserId
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.shown import length, plain
from deputize.protocol.tool import ApprovalPolicy, Schema, Tool, answers, is_safe, is_tool_name

READ = ScopeSet.of(["read"])


def describe(arguments: Any) -> str:
    return str(arguments["text"])


@pytest.mark.parametrize("kind", ["array", ["object", "null"]])
def test_what_a_tool_answers_is_an_object(kind: Any) -> None:  # MCP-18
    with pytest.raises(ValueError, match="structured content is an object"):
        answers({"type": kind})
    assert answers({}).fault([]) is not None


@pytest.mark.parametrize("name", ["a", "get_balance", "a.b-c_D9", "x" * 128])
def test_names_that_cannot_blur_the_hash_are_taken(name: str) -> None:  # HASH-2
    assert is_tool_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 129, "a b", "a\0b", "ä", "a/b", "a\n", "deputize.consent", "deputize."]
)
def test_names_that_could_blur_the_hash_are_refused(name: str) -> None:  # HASH-2
    assert not is_tool_name(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "deputize.consent", "scopes": READ},
        {"name": "a"},
        {"name": "a", "scopes": READ, "public": True},
        {"name": "a", "public": True, "direct": True, "describe": describe},
        {"name": "a", "public": True, "approval": ApprovalPolicy(always=True), "describe": describe},
        {"name": "a", "scopes": READ, "approval": ApprovalPolicy(always=True)},
        {"name": "a", "scopes": READ, "direct": True},
        {"name": "a", "scopes": READ, "opaque": False, "direct_when_closed": True},
    ],
)
def test_what_could_not_be_enforced_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tool"):
        Tool(**wrong)


@given(st.text(max_size=600))
def test_nothing_hides_in_a_description(text: str) -> None:  # APPR-2
    tool = Tool("a", READ, approval=ApprovalPolicy(always=True), describe=describe)
    try:
        shown = tool.description({"text": text}).headline
    except ValueError:
        assert length(text) > 500 or not plain(text).strip()
        return
    assert len(shown) == len(text)
    assert length(shown) <= 500
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200b\ufeff\x00\n\r\u2028")
    assert shown.count("\u2068") == shown.count("\u2069")


def test_a_describe_that_fails_is_a_refusal() -> None:  # APPR-2
    tool = Tool("a", READ, approval=ApprovalPolicy(always=True), describe=describe)
    with pytest.raises(ValueError, match="described"):
        tool.description({})


def test_a_schema_fetches_nothing() -> None:
    with pytest.raises(ValueError, match="fetched"):
        Schema({"$ref": "https://evil.example/schema.json"})


def test_a_schema_tells_the_first_fault_and_where() -> None:
    schema = Schema({"type": "object", "properties": {"a": {"properties": {"b": {"type": "integer"}}}}})
    assert schema.fault({"a": {"b": 1}}) is None
    assert str(schema.fault({"a": {"b": "x"}})).startswith("/a/b: ")
    assert schema.accepts({"a": {"b": 1}})


def test_to_say_what_does_not_fit_takes_no_time() -> None:
    """The arguments are an agent's, and all others wait behind: a second, for 60 KiB of them."""
    texts: Any = {"properties": {"a": {"items": {"type": "string"}}}}
    schema = Schema({"anyOf": [texts, {"properties": {"a": {"items": {"type": "object"}}}}]})
    assert str(schema.fault({"a": [9]})).startswith("/: ")
    began = time.thread_time()
    assert schema.fault({"a": [9] * 30_000}) == "/: they are too many to say which does not fit"
    assert time.thread_time() - began < 0.1


@pytest.mark.parametrize(
    ("writes", "approval", "safe"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_safe_means_no_approval_and_no_write(writes: bool, approval: bool, safe: bool) -> None:  # CALL-6
    assert is_safe(Tool("a", READ), {"read": Scope("read", "Read", writes)}, approval) is safe


@pytest.mark.parametrize(
    ("transports", "roaming"),
    [
        (set(), False),
        ({"internal"}, False),
        ({"smart-card"}, False),
        ({"hybrid", "internal"}, True),
        ({"usb"}, True),
        ({"nfc"}, True),
        ({"ble"}, True),
    ],
)
def test_a_class_takes_the_authenticators_that_fit_it(transports: set[str], roaming: bool) -> None:  # CRED-6
    credential = Credential(CredentialId("c"), UserId("u"), b"", 0, frozenset(transports), "", 0, True)
    assert credential.satisfies(AuthenticatorClass.PLATFORM)
    assert credential.satisfies(AuthenticatorClass.CROSS_PLATFORM) is roaming


@pytest.mark.parametrize(
    ("said", "kept"), [(["usb", "quantum", 5], {"usb"}), (None, set()), ("usb", set()), ([], set())]
)
def test_unknown_transports_are_dropped(said: object, kept: set[str]) -> None:
    assert known_transports(said) == kept


@pytest.mark.parametrize(
    ("stored", "presented", "moves"),
    [(0, 0, True), (0, 5, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False)],
)
def test_a_counter_grows_unless_zero_is_stored(stored: int, presented: int, moves: bool) -> None:  # APPR-7
    assert counter_moves(stored, presented) is moves
