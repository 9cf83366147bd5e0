"""The site's own OpenID provider is somebody else's: node-oidc-provider, with users of ours (OPENID-1 to OPENID-3)."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
import pytest
from tests.bank import POLICY

from deputize import settings
from deputize.app import build
from deputize.testing.page import browser_cookies
from deputize.testing.server import Site

JS = Path(__file__).parent.parent.parent / "js"
CLIENT = "deputize"
TOP = {"sec-fetch-dest": "document", "accept": "text/html"}


@dataclass
class There:
    """A running authority, and the provider that it learns its users from."""

    issuer: str
    provider: str

    @contextmanager
    def browser(self, user: str = "") -> Iterator["Browser"]:
        """Open one, in which somebody is known to the provider's page, or nobody."""
        with httpx2.Client(cookies=browser_cookies(), headers=TOP, timeout=30) as http:
            if user:
                http.get(f"{self.provider}/as/{user}")
            yield Browser(self, http)


@dataclass
class Browser:
    """Somebody's browser, which follows redirects one by one."""

    there: There
    http: httpx2.Client

    def go(self, url: str, until: str) -> httpx2.Response:
        """Follow redirects until an address that begins so, which is not opened, or to the end."""
        answer = self.http.get(url)
        while answer.is_redirect:
            url = urljoin(url, answer.headers["location"])
            if until and url.startswith(until):
                return answer
            answer = self.http.get(url)
        return answer

    def leave(self, **asked: str) -> str:
        """Sign in there, and return the address that leads back."""
        back = f"{self.there.issuer}/account/openid"
        answer = self.go(f"{self.there.issuer}/account/sign-in?{urlencode(asked)}", back)
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])

    def user(self) -> Any:
        return self.http.get(f"{self.there.issuer}/tools").json()["user"]


@contextmanager
def running(folder: Path, policy: str = "", **options: object) -> Iterator[There]:
    """Run both. Each has to know where the other is before it begins."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["node", "interop/provider.js"], cwd=JS, stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        provider = f"http://localhost:{int(process.stdout.readline())}"

        def app(port: int) -> Any:
            text = POLICY.replace("https://bank.example", f"http://localhost:{port}")
            text = text.replace("[agents.opaque]", "[agents]\ndevelopment = true\n[agents.opaque]")
            text += f'[users.openid]\nissuer = "{provider}"\nclient_id = "{CLIENT}"\n{policy}'
            return build(settings.loads(text.encode()), folder, time.time)

        try:
            with Site(app) as site:
                issuer = f"{site.url}/deputize"
                told = {
                    "client_id": CLIENT,
                    "redirect_uri": f"{issuer}/account/openid",
                    "logout_uri": f"{issuer}/account/logout",
                    "jwks": httpx2.get(f"{issuer}/jwks.json").json(),
                    **options,
                }
                print(json.dumps(told), file=process.stdin, flush=True)
                assert process.stdout.readline() == "listening\n"
                yield There(issuer, provider)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    with running(tmp_path_factory.mktemp("openid")) as there:
        yield there


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_provider_that_wants_a_secret_gets_the_one_of_the_file(
    tmp_path: Path, method: str
) -> None:  # OPENID-1
    secret = tmp_path / "secret"
    secret.write_text("another\n")
    policy, right = f'client_secret_file = "{secret}"\n', "s3cret: +/%?&=" * 3
    with running(tmp_path / "var", policy, secret=[method, right]) as there, there.browser("ada") as browser:
        assert browser.http.get(browser.leave()).status_code == 400
        assert browser.user() is None
        secret.write_text(f"{right}\n")
        assert browser.http.get(browser.leave()).status_code == 303
        assert browser.user()["name"] == "Person ada"


def test_its_user_is_ours(there: There) -> None:  # OPENID-1, OPENID-2
    with there.browser("ada") as browser:
        answer = browser.go(there.issuer + "/device", "")
        assert urlsplit(str(answer.url)).path == "/deputize/device"
        assert answer.status_code == 200
        assert browser.user()["name"] == "Person ada"
        first = browser.user()["id"]
    with there.browser("ada") as other:
        other.go(there.issuer + "/device", "")
        assert other.user()["id"] == first


def test_one_that_signs_by_rsa(tmp_path: Path) -> None:  # OPENID-3
    with running(tmp_path, alg="RS256") as there, there.browser("ada") as browser:
        browser.go(there.issuer + "/device", "")
        assert browser.user()["name"] == "Person ada"


def test_what_it_asks(there: There) -> None:  # OPENID-1
    with there.browser("ada") as browser:
        answer = browser.http.get(f"{there.issuer}/account/sign-in?anew=1")
        asked = {
            name: value for name, (value,) in parse_qs(urlsplit(answer.headers["location"]).query).items()
        }
    assert asked.pop("state").startswith("chl_")
    assert len(asked.pop("nonce")) == len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{there.issuer}/account/openid",
        "scope": "openid profile",
        "code_challenge_method": "S256",
        "max_age": "300",
    }


def test_an_answer_is_good_once_and_in_its_own_browser(there: There) -> None:  # OPENID-2, SIGNIN-2
    """An attacker's answer in the victim's browser: the victim would be signed in as the attacker."""
    with there.browser("mallory") as mallory, there.browser() as victim:
        back = mallory.leave()
        refused = victim.http.get(back)
        assert (refused.status_code, "not begun in this browser" in refused.text) == (404, True)
        victim.http.get(f"{there.issuer}/account/sign-in")  # so that there is a cookie
        assert victim.http.get(back).status_code == 404
        assert victim.user() is None
        assert mallory.http.get(back).status_code == 303
        again = mallory.http.get(back)
        assert (again.status_code, "finished already" in again.text) == (409, True)


def test_whose_answer_it_is_has_to_stand_in_it(there: There) -> None:
    """OPENID-2; RFC 9207: the provider has announced that it says so."""
    with there.browser("ada") as browser:
        back = browser.leave()
        for wrong in ("", "https://evil.example", there.provider + "/"):
            query = {name: value for name, (value,) in parse_qs(urlsplit(back).query).items()} | {
                "iss": wrong
            }
            refused = browser.http.get(f"{there.issuer}/account/openid?{urlencode(query)}")
            assert (refused.status_code, "another provider" in refused.text) == (400, True)
        assert browser.http.get(back).status_code == 303  # nothing was used up


def test_another_code_is_none(there: There) -> None:  # OPENID-1
    """One that was got for another state, in another browser: PKCE ties it to that."""
    with there.browser("mallory") as mallory, there.browser("ada") as ada:
        stolen = parse_qs(urlsplit(mallory.leave()).query)["code"][0]
        query = {name: value for name, (value,) in parse_qs(urlsplit(ada.leave()).query).items()}
        refused = ada.http.get(f"{there.issuer}/account/openid?{urlencode(query | {'code': stolen})}")
        assert (refused.status_code, "said no" in refused.text) == (400, True)
        assert ada.user() is None


def test_a_no_signs_nobody_in(there: There) -> None:  # OPENID-2
    with there.browser() as browser:
        refused = browser.go(f"{there.issuer}/account/sign-in", "")
        assert (refused.status_code, "Nobody was signed in there" in refused.text) == (400, True)
        assert browser.user() is None


def test_a_first_passkey_follows_a_sign_in_there(there: There) -> None:  # SIGNIN-4
    """It says when that was, also if it was not asked to have one anew."""
    with there.browser("ada") as browser:
        browser.go(f"{there.issuer}/account/sign-in?anew=1", "")
        csrf = browser.http.get(f"{there.issuer}/tools").json()["csrf"]
        begun = browser.http.post(f"{there.issuer}/credentials", json={}, headers={"deputize-csrf": csrf})
        assert begun.status_code == 200, begun.text


def test_who_is_sent_a_ticket_has_none(there: There) -> None:  # SIGNIN-2
    with there.browser() as browser:
        origin = "/".join(there.issuer.split("/")[:3])
        answer = browser.http.post(
            f"{there.issuer}/account/ticket", data={"ticket": "x"}, headers={"origin": origin}
        )
        assert answer.status_code == 404


def test_signing_out_there_is_signing_out_here(there: There) -> None:  # SIGNIN-7
    """Back-channel logout, as the provider tells of it by itself."""
    with there.browser("grace") as browser, there.browser("grace") as other:
        for each in (browser, other):
            each.go(there.issuer + "/device", "")
        asked = browser.http.get(f"{there.provider}/session/end").text
        (xsrf,) = re.findall(r'name="xsrf" value="([^"]+)"', asked)
        browser.http.post(f"{there.provider}/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"})
        assert browser.user() is None
        assert other.user()["name"] == "Person grace"
