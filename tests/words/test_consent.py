"""GRANT-2: what a user reads is made of what he signs, in one language, and bound by its digest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.words.languages import ENGLISH, LANGUAGES, catalogue_of, spelled, translated

from deputize.protocol.agent import Agent, Assurance, Ceiling
from deputize.protocol.canonical import canonicalize, s256
from deputize.protocol.consent import consent_structure
from deputize.protocol.constraint import Constraints
from deputize.protocol.credential import User
from deputize.protocol.errors import Refused
from deputize.protocol.grant import CONSENT_ACTION, Grant, GrantState
from deputize.protocol.ids import ClientId, GrantId, Jkt, UserId
from deputize.protocol.policy import Api, Policy, Site
from deputize.protocol.question import PARTS
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.shown import FSI, PDI
from deputize.words import catalogue
from deputize.words.consent import put, text_of

BROWSER = Agent(ClientId("agt_1"), Assurance.OPAQUE, Jkt("k"), None, 0)
ORIGIN = Agent(ClientId("https://a.example/agent.json"), Assurance.ORIGIN, None, None, 0, "Ann")
REGISTERED = replace(ORIGIN, assurance=Assurance.REGISTERED)
UNPROVEN = replace(ORIGIN, assurance=Assurance.OPAQUE)
ADA = User(UserId("usr_1"), "Ada Lovelace", b"handle", 0)
POLICY = Policy(
    Site("Bank", "https://bank.example", "https://bank.example/deputize", "bank.example"),
    Api("https://bank.example", ()),
    {"pay": Scope("pay", "Send money", True), "see": Scope("see", "See accounts", False)},
    {},
    Ceiling(ScopeSet()),
)
AGENTS = [BROWSER, ORIGIN, REGISTERED, UNPROVEN]
DETAILS: Any = [
    {
        "type": "webmcp_tool",
        "tool": "pay",
        "max_calls": 2,
        "hours": ["22:00", "06:00"],
        "sum": {"/amount": 500.5},
        "schema": {"properties": {"name": {"enum": ["Ada", "Grace"]}}},
    }
]


LIMITS = Constraints.parse(DETAILS)
GRANT = Grant(
    GrantId("grt_1"),
    ADA.user_id,
    ORIGIN.client_id,
    ScopeSet.of(POLICY.scopes),
    GrantState.PENDING,
    {},
    0,
    600,
    Jkt("k"),
    LIMITS,
)


def structure(agent: Agent, details: Any = DETAILS, before: Grant | None = None) -> dict[str, Any]:
    asked = replace(GRANT, client_id=agent.client_id, constraints=Constraints.parse(details))
    return consent_structure(asked, agent, ADA, POLICY, 3600, before)


def lines(agent: Agent, language: str = "en", **changed: Any) -> list[tuple[str, str]]:
    return lines_of({**structure(agent), **changed}, language)


def lines_of(told: dict[str, Any], language: str = "en") -> list[tuple[str, str]]:
    text = text_of(put(told, language))
    assert text is not None
    bare = (line.replace(FSI, "").replace(PDI, "") for line in text.lines)
    return [*zip(text.parts, bare, strict=True)]


def test_it_is_told_from_top_to_bottom() -> None:
    assert lines(ORIGIN) == [
        ("title", "Let a.example act for you?"),
        ("asker", "a.example"),
        ("claim", "calls itself “Ann”"),
        (
            "remark",
            "It has proved that it belongs there. Nobody has checked the name, and Bank does not vouch for it.",
        ),
        ("remark", "Its id: https://a.example/agent.json"),
        ("heading", "At Bank it may"),
        ("scope", "Send money (pay)"),
        ("scope", "See accounts (see)"),
        ("heading", "Only within these limits"),
        ("tool", "pay"),
        ("limit", "At most twice"),
        ("limit", "“amount”: at most 500.5 in all"),
        ("limit", "Every day from 22:00 to 06:00 of the next day, UTC"),
        ("limit", "“name” (if given): only “Ada” or “Grace”"),
        (
            "remark",
            "Each limit is for the tool that it stands under. With any other, the agent may do all of the above.",
        ),
        ("heading", "For 1 hour"),
        ("remark", "You can take it back at any time on your account page."),
    ]


def test_a_second_consent_marks_what_is_new_and_names_limits_that_go() -> None:  # GRANT-2
    agent = ORIGIN
    held = replace(
        GRANT, scopes=ScopeSet.of(["see"]), constraints=Constraints.parse([{**DETAILS[0], "max_calls": 1}])
    )
    told = lines_of(structure(agent, before=held))
    assert told[told.index(("scope", "Send money (pay)")) + 1] == ("new", "new")
    assert told[told.index(("scope", "See accounts (see)")) + 1] == ("heading", "Only within these limits")
    assert told[told.index(("limit", "At most twice")) + 1] == ("new", "new")
    assert [part for part, _ in told].count("new") == 2
    gone = told.index(("warning", "These limits hold until now, and would not any more:"))
    assert told[gone + 1 : gone + 4] == [
        ("tool", "pay"),
        ("limit", "At most once"),
        ("heading", "For 1 hour"),
    ]
    same = lines_of(
        structure(agent, before=replace(held, scopes=ScopeSet.of(POLICY.scopes), constraints=LIMITS))
    )
    assert same == lines(agent)


def test_what_is_described_otherwise_now_is_told_and_nothing_else_of_descriptions() -> None:  # GRANT-8
    known = {"tool": "see", "title": "", "definition_s256": "A"}
    changed = {"tool": "pay", "title": "Send money", "definition_s256": "B", "changed": True}
    assert lines(BROWSER, definitions=[known]) == lines(BROWSER)
    told = [line for line in lines(BROWSER, definitions=[known, changed]) if line not in lines(BROWSER)]
    assert told == [
        ("warning", "Bank describes these tools to agents otherwise now than when you last agreed:"),
        ("tool", "Send money (pay)"),
    ]


@pytest.mark.parametrize(
    ("agent", "title", "told"),
    [
        (
            BROWSER,
            "Let the agent in your browser act for you?",
            "Anything that runs on Bank in the browser that asks",
        ),
        (REGISTERED, "Let an agent registered by Bank act for you?", "registered by Bank"),
        (UNPROVEN, "Let an app that does not prove who it is act for you?", "any app can say this"),
    ],
)
def test_who_asks_is_told_by_what_is_proven(agent: Agent, title: str, told: str) -> None:  # OAUTH-4, BEARER-6
    said = lines(agent)
    assert said[0] == ("title", title)
    assert any(told in line for _, line in said)
    assert any("proved" in line for _, line in said) is (agent is REGISTERED)


@pytest.mark.parametrize("agent", AGENTS)
def test_what_is_signed_has_no_sentence_of_ours(agent: Agent) -> None:
    shown = put(structure(agent), "en")
    signed = json.dumps(shown)
    assert all(line not in signed for _, line in lines(agent) if " " in line and line != "See accounts")
    text = text_of(shown)
    assert text is not None
    assert shown["text_s256"] == s256(canonicalize([*text.lines])) == text.s256
    assert shown["language"] == "en"
    assert set(text.parts) <= set(PARTS)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("site", "Bunk"),
        ("expires_in", 3601),
        ("scopes", []),
        ("agent", {**structure(ORIGIN)["agent"], "name": "Bob"}),
        ("agent", {**structure(ORIGIN)["agent"], "assurance": "registered"}),
        ("constraints", []),
        ("language", "fr"),
        ("text_s256", s256(b"")),
        ("text_s256", None),
    ],
)
def test_another_structure_has_no_text_with_this_digest(member: str, value: Any) -> None:
    shown = put(structure(ORIGIN), "en")
    assert text_of(shown) is not None
    assert text_of({**shown, member: value}) is None


def test_what_an_older_version_asked_in_words_of_its_own_has_no_text() -> None:
    """The database may be older than the catalogue: such a request is expired, and no fault of ours."""
    for agent in AGENTS:
        assert text_of(structure(agent)) is None
        assert text_of({**structure(agent), "text": ["Let it act for you?"]}) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("agent", AGENTS)
def test_it_is_told_in_the_language_of_the_file(tmp_path: Path, agent: Agent, language: str) -> None:
    english = put(structure(agent), "en")
    with catalogue_of(tmp_path, **{language: translated(language)}):
        shown = put(structure(agent), language)
        text = text_of(shown)
        assert text is not None
        assert text.language == shown["language"] == language
        assert {**shown, "language": "en", "text_s256": english["text_s256"]} == english
        assert shown["text_s256"] != english["text_s256"]
        assert text.lines[-1] == spelled(catalogue.words("en")("consent-duration-remark"), language)
        strangers = "".join(text.lines)
        assert ("⁨Ann⁩" if agent is REGISTERED else "⁨“Ann”⁩") in strangers or agent is BROWSER
        assert "⁨“Grace”⁩" in strangers


def test_words_that_have_changed_since_are_not_those_that_were_asked_in(tmp_path: Path) -> None:
    shown = put(structure(BROWSER), "en")
    with catalogue_of(tmp_path, en=ENGLISH.replace("Send", "Post").replace("it may", "it must")):
        assert text_of(shown) is None


def test_an_agent_says_nothing_in_our_name() -> None:
    name = "Bank⁩ has checked this”. “"
    told = [line for _, line in lines(replace(ORIGIN, name=name))]
    assert '"Bank\ufffd has checked this\\u201d. \\u201c"' in told[2]


@pytest.mark.parametrize(
    "way", [["not"], ["anyOf"], ["properties"], ["items", "oneOf"], ["properties", "allOf"]]
)
def test_the_deepest_limit_can_be_signed(way: list[str]) -> None:  # CONS-4
    """It stands within other structure, and that is not too deep for canonical JSON."""
    schema: Any = {"const": 1}
    while True:
        for keyword in way:
            deeper = {"a": schema} if keyword == "properties" else [schema]
            schema = {keyword: schema if keyword in ("not", "items") else deeper}
        try:
            shown = put(structure(ORIGIN, [{"type": "webmcp_tool", "tool": "pay", "schema": schema}]), "en")
        except Refused:
            break
        assert canonicalize({"tool": CONSENT_ACTION, "arguments": shown})
