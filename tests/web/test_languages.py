"""Every page and every consent in the language that its reader asks for, where there is a file for it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from tests.bank import POLICY, Bank
from tests.web.agents import ALL, Client
from tests.words.languages import LANGUAGES, catalogue_of, read_again, spelled, translated

from deputize.app import Deputize
from deputize.protocol.canonical import canonicalize, s256
from deputize.settings import loads
from deputize.testing.page import Page
from deputize.words.catalogue import words

pytestmark = pytest.mark.anyio
LIMITS = [
    {
        "type": "webmcp_tool",
        "tool": "transfer_money",
        "max_calls": 3,
        "schema": {"required": ["name"], "anyOf": [{"maxProperties": 2}, {"enum": [{"name": "Ada"}]}]},
    }
]
NOT_OURS = {"bdi", "code", "title", "script", "style"}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    spoken: str = request.param
    with catalogue_of(tmp_path / "words", **{spoken: translated(spoken)}):
        yield spoken


def test_one_that_hides_something_keeps_the_server_from_starting(tmp_path: Path) -> None:
    policy = loads(POLICY.encode())
    with (
        catalogue_of(tmp_path / "words", el="unheard-of = a\n"),
        pytest.raises(ValueError, match=r"el\.ftl: unheard-of"),
    ):
        Deputize(policy, tmp_path / "var")
    assert not (tmp_path / "var").exists()


class Seen(HTMLParser):
    """The text of a page that is ours: what strangers and the site have said stands in tags of its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.html: dict[str, str | None] = {}
        self.lines: list[str] = []
        self._ours: list[str] = []
        self._line: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.ours = "".join(self._ours)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.html = given
        if "data-line" in given:
            self._line = []
        if tag in NOT_OURS or given.get("dir") == "auto":
            self._open.append(tag)
        if label := given.get("aria-label"):
            self._ours.append(label.partition(" ")[0])

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        if tag in ("h1", "h2", "h3", "p", "li", "dt", "dd", "strong", "span"):
            self.lines.append("".join(self._line))
            self._line = []

    def handle_data(self, data: str) -> None:
        self._line.append(data)
        if not self._open:
            self._ours.append(data)


def check(answer: httpx2.Response, language: str) -> Seen:
    seen = Seen(answer.text)
    assert seen.html == {"lang": language, "dir": "rtl" if language == "he" else "ltr"}
    assert re.findall(r"[A-Za-z]+", seen.ours) == []
    return seen


async def test_the_account_page(ada: Page, helper: Client, language: str) -> None:
    await helper.deputized(ada, ALL, LIMITS)
    await ada.deputize("account:read payments:write")
    await ada.call("transfer_money", {"amount": 5, "name": "Ада"})
    ada.http.headers["accept-language"] = f"fr, {language}-XX;q=0.9, en;q=0.1"
    seen = check(await ada.http.get(f"{ada.issuer}/account"), language)
    assert spelled("At most", language) in seen.ours
    assert spelled("Waiting for you", language) in seen.ours
    history = check(await ada.http.get(f"{ada.issuer}/account/history"), language)
    assert spelled("Waits for your answer.", language) in history.ours
    stranger = ada.http
    stranger.cookies.clear()
    check(await stranger.get(f"{ada.issuer}/account"), language)


async def test_a_consent_and_its_digest(local: Bank, ada: Page, helper: Client, language: str) -> None:
    ada.http.headers["accept-language"] = language
    url = await helper.page_url(ALL, LIMITS)
    page = await ada.http.get(url)
    seen = check(page, language)
    (request,) = re.findall('data-request="([^"]+)"', page.text)
    (grant_id,) = re.findall('data-grant="([^"]+)"', page.text)
    grant = local.deputize.store.look(lambda tx: tx.grant(grant_id))
    assert grant is not None
    minted = (await ada.send("POST", f"/authorize/{request}/challenge", page=False)).json()
    lines = re.split("\n| · ", minted["displayText"])
    assert grant.shown["language"] == language
    assert grant.shown["text_s256"] == s256(canonicalize(lines))
    bare = [re.sub("[\u2068\u2069]", "", line) for line in lines]
    assert [line for line in seen.lines if line in bare] == bare  # these lines, in this order, as they are
    ada.http.headers["accept-language"] = "en"
    assert check_again(await ada.http.get(url)) == language  # it stays as it was put first
    assert (await ada.authorize(url)).status_code == 200


def check_again(answer: httpx2.Response) -> str | None:
    return Seen(answer.text).html["lang"]


async def test_a_consent_in_the_browser(grace: Page, language: str) -> None:
    grace.http.headers["accept-language"] = language
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()
    lines = [each["line"] for each in asked["text"]["lines"]]
    assert lines[0] == spelled("Let the agent in your browser act for you?", language)
    assert asked["text"]["language"] == asked["shown"]["language"] == language
    assert asked["shown"]["text_s256"] == s256(canonicalize(lines))
    assert (await grace.consent(asked["grant_id"])).status_code == 200


async def test_words_that_have_changed_since_are_not_signed(
    grace: Page, tmp_path: Path, language: str
) -> None:
    grace.http.headers["accept-language"] = language
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()
    file = tmp_path / "words" / f"{language}.ftl"
    file.write_text(file.read_text("utf-8").replace("{ $site }", "{ $site }!"), "utf-8")
    read_again()
    refused = await grace.send("POST", f"/grants/{asked['grant_id']}/challenge")
    assert (refused.status_code, refused.json()["code"]) == (409, "expired")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/device", 200), ("/device?user_code=BCDF-GHJK", 200), ("/authorize?request_uri=x", 400), ("/x", 404)],
)
async def test_pages_that_ask_or_refuse(ada: Page, language: str, path: str, status: int) -> None:
    ada.http.headers |= {"accept-language": language, "accept": "text/html"}
    answer = await ada.http.get(ada.issuer + path)
    assert answer.status_code == status
    check(answer, language)


async def test_a_question_about_a_passkey(grace: Page, language: str) -> None:
    grace.http.headers["accept-language"] = language
    asked = await grace.send("POST", "/account/enrollment-window/challenge")
    assert asked.json()["displayText"] == words(language)("passkey-window-approval")
    assert not re.search("[A-Za-z]", asked.json()["displayText"])
