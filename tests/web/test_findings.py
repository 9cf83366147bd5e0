"""Pages of the site say what is wrong with them: it is counted and logged once, and a flood of lies is bounded."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.bank import ORIGIN, POLICY, Bank, opened

from deputize import settings
from deputize.log.log import Log
from deputize.log.pages import EVERY, MOST
from deputize.protocol.canonical import Json
from deputize.protocol.finding import Finding
from deputize.protocol.quota import Quotas
from deputize.web import findings

pytestmark = pytest.mark.anyio


class Watched:
    """A bank, and what its owner reads."""

    def __init__(self, bank: Bank, stream: io.BytesIO) -> None:
        self.bank = bank
        self._stream = stream
        self.http = bank.page().http

    def at(self, address: str) -> "Watched":
        """Come from another address."""
        transport = self.bank.transport
        assert transport is not None
        other = replace(
            self.bank, transport=httpx2.ASGITransport(transport.app, client=(address, 4711))
        ).page()
        self.http = other.http
        return self

    async def say(self, *found: Json, page: str = "/shop", **headers: str) -> httpx2.Response:
        """Say what is wrong, as a page of the site unless the headers say otherwise."""
        sent = {"origin": ORIGIN, "sec-fetch-site": "same-origin"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        body = {"page": page, "findings": [*found]}
        return await self.http.post(f"{self.bank.issuer}/findings", json=body, headers=sent)

    def lines(self, event: str = "page_says") -> list[dict[str, Any]]:
        """Read the lines of the log so far."""
        assert self.bank.deputize.log.flush(5)
        said = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [each for each in said if each["event"] == event]

    async def count(self, metric: str) -> float:
        """Read a counter."""
        text = (await self.bank.page().http.get(f"{self.bank.issuer}/metrics")).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(metric))


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    stream = io.BytesIO()
    async with opened(settings.loads(POLICY.encode()), tmp_path / "var", log=Log(stream)) as bank:
        yield Watched(bank, stream)


def found(finding: str = "not_gated", name: str | None = "note", where: str | None = "document") -> Json:
    return {"finding": finding, "name": name, "where": where}


async def test_the_owner_reads_what_is_wrong_and_the_cure(watched: Watched) -> None:
    """PAGE-3, PAGE-4: without a session."""
    assert (await watched.say(found())).status_code == 204
    (line,) = watched.lines()
    expected = {"level": "warning", "finding": "not_gated", "tool": "note", "where": "document"}
    assert {name: line[name] for name in (*expected, "page")} == {**expected, "page": "/shop"}
    assert line["message"].startswith("The tool “note” was registered in document before the shim")
    assert "Load the shim before all that registers tools" in line["message"]
    assert await watched.count('deputize_page_findings_total{finding="not_gated"}') == 1


@pytest.mark.parametrize("finding", Finding)
async def test_each_finding_has_a_sentence_and_a_cure(watched: Watched, finding: Finding) -> None:
    """PAGE-1."""
    await watched.say(found(finding, "strange", "here"))
    (line,) = watched.lines()
    assert (line["finding"], len(line["message"]) > 80) == (finding, True)


async def test_what_comes_again_is_counted_and_told_when_the_hour_is_over(watched: Watched) -> None:
    """PAGE-4."""
    for _ in range(5):
        await watched.say(found(), found("form"))
    assert len(watched.lines()) == 2
    watched.bank.clock.forward(EVERY)
    await watched.say(found())
    assert len(watched.lines()) == 3
    assert await watched.count("deputize_page_findings_total") == 11


async def test_a_flood_costs_a_few_lines_and_hides_nothing_of_the_policys_tools(watched: Watched) -> None:
    """PAGE-4: anybody can send it, as often, and with as many names, as they like."""
    rate = Quotas().findings
    assert rate is not None
    before = len(watched.bank.entries())
    said = 0
    for number in range(rate.most + 50):
        lies = [found("unknown_tool", f"x{number}-{each}", "y" * 1000) for each in range(findings.MOST)]
        said += (await watched.say(*lies)).status_code == 204
    answer = await watched.say(found())
    assert (answer.status_code, answer.json()["quota"], said) == (429, "findings", rate.most)
    lines = watched.lines()
    assert len(lines) == MOST + 1
    assert "Pages say more than fits here" in lines[-1]["message"]
    assert watched.lines("refused") == []
    assert await watched.count('deputize_quota_refusals_total{quota="findings"}') == 51
    assert (await watched.at("192.0.2.7").say(found())).status_code == 204
    assert watched.lines()[-1]["tool"] == "note"
    assert len(watched.bank.entries()) == before


async def test_what_a_stranger_writes_hides_nothing_in_the_log(watched: Watched) -> None:
    """PAGE-4."""
    await watched.say(found("not_gated", "no\nte\u202e\u0430", "\x1b[2J"), page="/" + "é" * 500)
    (line,) = watched.lines()
    assert (line["tool"], line["where"]) == ("no\\nte\\u202e\\u0430", "\\x1b[2J")
    assert line["page"] == "/" + "\\xe9" * 31 + "\\xe"
    assert "“no\\nte\\u202e\\u0430”" in line["message"]


async def test_a_tool_that_the_policy_knows_by_now_is_not_called_unknown(watched: Watched) -> None:
    assert (
        await watched.say(found("unknown_tool", "note"), found("unknown_tool", "nota"))
    ).status_code == 204
    assert [line["tool"] for line in watched.lines()] == ["nota"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, ["https://evil.example"]),
        ({"origin": "https://bank.example:8443"}, ["https://bank.example:8443"]),
        ({"origin": "null"}, ["null"]),
        ({"sec_fetch_site": "cross-site"}, []),
    ],
)
async def test_an_origin_that_is_not_the_sites_is_refused_and_told(
    watched: Watched, headers: dict[str, str], told: list[str]
) -> None:
    """PAGE-3, PAGE-5: once, whatever it says, and with no other line."""
    for _ in range(3):
        answer = await watched.say(found(), **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    lines = watched.lines()
    assert [(line["finding"], line["origin"]) for line in lines] == [("wrong_origin", each) for each in told]
    assert all(
        f"A page at {line['origin']} uses the authority {watched.bank.issuer}" in line["message"]
        for line in lines
    )
    assert watched.lines("refused") == []


async def test_without_an_origin_it_is_no_page(watched: Watched) -> None:
    """PAGE-3: a browser that posts names one; nobody else is asked to be honest about `Sec-Fetch-Site`."""
    url, body = f"{watched.bank.issuer}/findings", {"page": "/", "findings": [found()]}
    assert (await watched.http.post(url, json=body)).status_code == 403
    assert watched.lines() == []


async def test_a_page_of_another_origin_that_asks_for_the_policy_is_told(watched: Watched) -> None:
    """PAGE-5: from a wrong port a browser sends a stand-alone authority nothing more than that."""
    url = f"{watched.bank.issuer}/tools"
    for headers in ({"origin": "http://localhost:8001"}, {"origin": ORIGIN}, {}):
        assert (await watched.http.get(url, headers=headers)).status_code == 200
    assert [line["origin"] for line in watched.lines()] == ["http://localhost:8001"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site", "origin": ORIGIN}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({}, 403),
    ],
)
async def test_a_page_that_may_send_nothing_tells_by_a_script(
    watched: Watched, headers: dict[str, str], status: int
) -> None:
    """PAGE-5."""
    answer = await watched.http.get(f"{watched.bank.issuer}/blocked.mjs", headers=headers)
    assert answer.status_code == status
    blocked = [line["message"] for line in watched.lines() if line["finding"] == "blocked"]
    assert len(blocked) == (status == 200)
    assert status != 200 or "Content-Security-Policy (connect-src)" in blocked[0]


@pytest.mark.parametrize(
    "body",
    [
        {"page": "/", "findings": [found()] * (findings.MOST + 1)},
        {"page": "/", "findings": [found("no_such")]},
        {"page": "/", "findings": [{"finding": "form", "name": 1}]},
        {"page": "/", "findings": [{"finding": "form", "more": ""}]},
        {"findings": []},
    ],
)
async def test_what_is_no_report_is_refused(watched: Watched, body: Json) -> None:
    """PAGE-3, JSON-3."""
    headers = {"origin": ORIGIN}
    answer = await watched.http.post(f"{watched.bank.issuer}/findings", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert watched.lines() == []


async def test_so_many_at_once_fit(watched: Watched) -> None:
    """PAGE-3."""
    assert (await watched.say(*[found()] * findings.MOST)).status_code == 204
