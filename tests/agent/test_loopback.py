"""The redirect to the user's own machine (RFC 8252 §7.3)."""

from collections.abc import Iterator

import httpx2
import pytest

from deputize.agent import LOOPBACK_REDIRECT, Loopback, RequestExpired


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(LOOPBACK_REDIRECT, lambda url: "state=good" in url) as listening:
        yield listening


def test_takes_the_redirect_that_is_expected(loopback: Loopback) -> None:
    assert loopback.redirect_uri.startswith("http://127.0.0.1:")
    answer = httpx2.get(f"{loopback.redirect_uri}?code=secret&state=good")
    assert (answer.status_code, "You can close this page" in answer.text) == (200, True)
    assert "secret" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert loopback.wait(10) == f"{loopback.redirect_uri}?code=secret&state=good"


def test_other_requests_are_no_redirect(loopback: Loopback, capfd: pytest.CaptureFixture[str]) -> None:
    base = loopback.redirect_uri.removesuffix("/callback")
    for url in (
        "/callback?state=bad&code=x",
        "/callback",
        "/favicon.ico",
        "/other?state=good",
        "//x?state=good",
    ):
        assert httpx2.get(base + url).status_code == 404
    assert httpx2.post(f"{base}/callback?state=good").status_code == 501
    with pytest.raises(RequestExpired):
        loopback.wait(0)
    assert "code=x" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "registered",
    ["https://127.0.0.1/callback", "http://agent.example/callback", "http://0.0.0.0/callback", ""],
)
def test_listens_on_this_machine_only(registered: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Loopback(registered, lambda url: True)


@pytest.mark.parametrize("registered", ["http://localhost/", "http://localhost", "http://127.0.0.1/a/b"])
def test_keeps_host_and_path_of_what_is_registered(registered: str) -> None:
    with Loopback(registered, lambda url: True) as loopback:
        port = loopback.redirect_uri.split(":")[2].split("/")[0]
        assert loopback.redirect_uri.replace(f":{port}", "") == registered
        assert httpx2.get(f"{loopback.redirect_uri}?x=1").status_code == 200
        assert loopback.wait(10).endswith("?x=1")


def test_a_port_that_was_named_is_taken() -> None:
    with Loopback("http://127.0.0.1/cb", lambda url: True) as first, pytest.raises(OSError, match="in use"):
        Loopback(first.redirect_uri, lambda url: True)
