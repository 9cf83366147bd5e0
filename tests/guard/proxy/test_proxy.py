"""What goes through the proxy, what it adds, and what becomes of a call (PROXY-3 to PROXY-6)."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest

from deputize.protocol.call import State
from deputize.protocol.canonical import Json

from ..conftest import text_of
from .conftest import TRANSFER, Site, before, behind


def test_a_call_runs_and_its_handler_is_told_what_was_approved(site: Site) -> None:  # PROXY-5
    site.authority.external_id = "customer-7"
    token = site.authority.call("transfer_money", TRANSFER)
    answer = site.send("POST", "/api/transfers", token, json=TRANSFER)
    assert (answer.status_code, answer.json()) == (200, {"ran": True})
    (came,) = site.came
    facts = came.facts()
    assert facts["arguments"] == TRANSFER
    assert (facts["txn"], facts["sub"], facts["external_id"]) == (token.call_id, "usr_1", "customer-7")
    assert (facts["client_id"], facts["tool"], facts["scope"]) == (
        "agt_1",
        "transfer_money",
        "payments:write",
    )
    assert facts["exp"] - facts["iat"] == 60
    assert site.authority.states[token.call_id] is State.SUCCEEDED
    assert came.header("txn-token") is None
    assert came.header("content-type") == "application/json"


def test_arguments_of_path_and_query_are_verified(site: Site) -> None:  # PROXY-5
    close = site.authority.call("close_account", {"account": "a-7"})
    assert site.send("DELETE", "/api/accounts/a-8", close).json()["code"] == "argument_hash_mismatch"
    assert site.send("DELETE", "/api/accounts/a-7", close).status_code == 200
    listing = site.authority.call("list_transactions", {"limit": 5})
    assert site.send("GET", "/api/transactions?limit=50", listing).json()["code"] == "argument_hash_mismatch"
    assert site.send("GET", "/api/transactions?limit=5", listing).status_code == 200
    assert [came.facts()["arguments"] for came in site.came] == [{"account": "a-7"}, {"limit": 5}]


def test_without_a_call_nothing_comes_to_a_guarded_endpoint(site: Site) -> None:  # GUARD-1
    answer = site.send("POST", "/api/transfers", json=TRANSFER)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_call_token")
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.send("HEAD", "/api/transactions").status_code == 401
    other = site.authority.call("close_account", TRANSFER)
    assert site.send("POST", "/api/transfers", other, json=TRANSFER).json()["code"] == "call_wrong_tool"
    twice = [("Txn-Token", text_of(site.authority.call("transfer_money", TRANSFER)))] * 2
    answer = site.send("POST", "/api/transfers", json=TRANSFER, headers=twice)
    assert answer.json()["code"] == "invalid_call_token"
    assert site.came == []


def test_a_call_runs_once(site: Site) -> None:  # GUARD-3
    token = site.authority.call("transfer_money", TRANSFER)

    def once(_: int) -> int:
        return site.send("POST", "/api/transfers", token, json=TRANSFER).status_code

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(once, range(5))) == [200, 409, 409, 409, 409]
    assert len(site.came) == 1


def test_nothing_runs_without_the_authority(site: Site) -> None:  # GUARD-6
    site.authority.away = True
    answer = site.transfer()
    assert (answer.status_code, answer.json()["code"]) == (503, "authority_unavailable")
    assert site.came == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, State.SUCCEEDED), (302, State.SUCCEEDED), (404, State.FAILED), (500, State.UNKNOWN)],
)
def test_the_answer_tells_the_outcome(site: Site, status: int, outcome: State) -> None:  # GUARD-5
    assert site.transfer(headers=[("X-Answer", str(status))]).status_code == status
    assert list(site.authority.states.values()) == [outcome]


def test_an_answer_goes_out_although_its_outcome_cannot_be_reported(site: Site) -> None:  # GUARD-5
    site.authority.going = True
    assert site.transfer().status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Type": "application/json; charset=utf-16le"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
        {"Content-Type": "text/plain"},
        {},
    ],
)
def test_a_guarded_body_has_one_reading(site: Site, headers: dict[str, str]) -> None:  # PROXY-5
    token = site.authority.call("transfer_money", TRANSFER)
    body = b'{"amount":250,"name":"Ada"}'
    answer = site.send("POST", "/api/transfers", token, content=body, headers=list(headers.items()))
    assert answer.json()["code"] == "unsupported_media_type"
    assert site.came == []


@pytest.mark.parametrize(("size", "status"), [(70_000, 413), (5_000, 413), (3_900, 200)])
def test_guarded_arguments_fit_in_a_head(site: Site, size: int, status: int) -> None:  # PROXY-5, JSON-3
    much: dict[str, Json] = {"amount": 1, "name": "x" * size}
    token = site.authority.call("transfer_money", much)
    assert site.send("POST", "/api/transfers", token, json=much).status_code == status
    if status == 200:
        assert len(site.came[0].header("deputize-facts") or "") < 8000
    else:
        assert site.authority.states[token.call_id] is State.APPROVED  # it was not redeemed for that


def test_what_needs_no_call_goes_through_as_it_is(site: Site) -> None:
    answer = site.send(
        "PUT",
        "/other/caf%C3%A9?q=a%20b&x=[1]",
        content=b"\x00\xff",
        headers=[("Cookie", "s=1"), ("X-Mine", "yes"), ("Accept-Encoding", "br"), ("Txn-Token", "x")],
    )
    assert answer.status_code == 200
    (came,) = site.came
    assert (came.method, came.body) == ("PUT", b"\x00\xff")
    assert came.target.startswith("/other/caf%C3%A9?q=a%20b&x=")
    assert (came.header("cookie"), came.header("x-mine")) == ("s=1", "yes")
    assert came.header("accept-encoding") == "br"
    assert came.header("txn-token") == "x"  # for a guard of its own, further in
    assert came.header("deputize-facts") is None
    assert came.header("host") == f"127.0.0.1:{site.port}"


def test_an_answer_comes_back_without_what_was_for_the_connection(site: Site) -> None:  # PROXY-4
    answer = site.send("GET", "/any")
    assert "x-inner" not in answer.headers
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert len(answer.headers.get_list("date")) == 1


@pytest.mark.parametrize("spelled", ["Deputize-Facts", "deputize_facts", "Deputize.Facts", "DEPUTIZE-FACTS"])
def test_facts_from_outside_come_to_nobody(site: Site, spelled: str) -> None:  # PROXY-4
    site.send("GET", "/any", headers=[(spelled, "forged")])
    site.transfer(headers=[(spelled, "forged")])
    open_one, guarded = site.came
    assert "forged" not in f"{open_one.headers} {guarded.headers}"
    assert guarded.facts()["arguments"] == TRANSFER


def test_only_a_trusted_proxy_says_from_where_a_request_came(site: Site) -> None:  # PROXY-4, QUOTA-4
    said = [
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=1.2.3.4"),
    ]
    site.send("GET", "/any", headers=said)
    policy = site.policy
    trusting = replace(policy.site, trusted_proxies=(ip_network("127.0.0.0/8"),))
    site.policy = replace(policy, site=trusting)
    site.send("GET", "/any", headers=said)
    site.policy = policy
    stranger, trusted = site.came
    assert "1.2.3.4" not in str(stranger.headers)
    assert "evil" not in str(stranger.headers)
    assert (stranger.header("x-forwarded-for"), stranger.header("x-forwarded-proto")) == ("127.0.0.1", "http")
    assert trusted.header("x-forwarded-for") == "1.2.3.4, 127.0.0.1"
    assert trusted.header("x-forwarded-host") == "evil.example"


def test_events_come_as_they_are_sent(site: Site) -> None:  # PROXY-6
    with (
        httpx2.Client(trust_env=False, timeout=30) as client,
        client.stream("GET", f"{site.url}/stream") as answer,
    ):
        parts = answer.iter_raw()
        assert next(parts) == b"data: one\n\n"
        site.go_on.set()
        assert next(parts) == b"data: two\n\n"


def test_a_client_that_goes_lets_the_upstream_go(site: Site) -> None:  # PROXY-6
    with (
        httpx2.Client(trust_env=False, timeout=30) as client,
        client.stream("GET", f"{site.url}/stream?more=1") as answer,
    ):
        site.go_on.set()
        next(answer.iter_raw())
    assert site.let_go.wait(10)


def test_an_upload_goes_on_while_it_comes(site: Site) -> None:  # PROXY-6
    def parts() -> Iterator[bytes]:
        yield b"x" * 100_000
        assert site.go_on.wait(10)  # the upstream has of the first before the second is sent
        for _ in range(50):
            yield b"y" * 100_000

    answer = site.send("POST", "/upload", content=parts())
    assert answer.json() == {"size": 5_100_000}
    assert site.came[0].header("transfer-encoding") == "chunked"


def test_an_upstream_may_be_a_socket_in_the_file_system(tmp_path: Path) -> None:  # PROXY-7
    site, path = Site(), tmp_path / "api.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with behind(site, listener), before(site, f"unix:{path}"):
        assert site.transfer().status_code == 200
    assert site.came[0].facts()["arguments"] == TRANSFER


def test_where_nobody_listens_nothing_has_run() -> None:  # PROXY-6
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with before(Site(), f"http://127.0.0.1:{port}") as site:
        answer = site.transfer()
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream_unavailable")
        assert site.send("GET", "/any").status_code == 502
    assert list(site.authority.states.values()) == [State.FAILED]


@pytest.mark.parametrize("path", ["/api/transfers", "/API/transfers"])
def test_the_pages_of_the_site_may_read_why_it_was_refused_and_no_others(site: Site, path: str) -> None:
    """GUARD-11"""
    for origin, allowed in (("https://bank.example", True), ("https://evil.example", False), ("null", False)):
        answer = site.send("POST", path, json={}, headers=[("Origin", origin)])
        assert answer.status_code in (400, 401)
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert answer.headers.get("access-control-allow-credentials") == ("true" if allowed else None)
    assert site.came == []
