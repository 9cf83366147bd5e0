"""The WSGI guard, by PEP 3333 alone: what servers and apps may do, and what somebody may try (GUARD-5, GUARD-9)."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.validate import validator

import pytest

from deputize.guard.start import Unguarded
from deputize.guard.wsgi import GuardMiddleware, guarded_call
from deputize.protocol.call import State
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CallId
from deputize.protocol.policy import Policy
from deputize.protocol.token import CallToken
from deputize.settings import loads

from .conftest import AUDIENCE, ISSUER, KEY, TRANSFER, Authority, key_of, text_of

TOOL = """
[site]
name = "Bank"
origin = "https://bank.example"
[api]
audience = "https://bank.example/api"
origins = ["https://bank.example", "https://api.bank.example"]
[scopes.pay]
title = "Pay"
[tools.transfer_money]
scopes = ["pay"]
endpoint = "POST /api/transfers"
[tools.pay]
scopes = ["pay"]
endpoint = "POST https://api.bank.example/pay"
[tools.unplaced]
scopes = ["pay"]
"""
BODY = json.dumps(TRANSFER).encode()


class Now:
    """The authority of these tests, for who cannot await."""

    def __init__(self) -> None:
        self.call = Authority().call
        self.log: list[str] = []
        self.away = False

    def redeem(self, token: CallToken, text: str) -> str | None:
        self.log.append("redeem")
        if self.away:
            raise Refused(Code.AUTHORITY_UNAVAILABLE, "Nothing was done: the authority cannot be reached.")
        return None

    def report(self, call_id: CallId, outcome: State) -> None:
        self.log.append(f"report {outcome}")
        if self.away:
            raise OSError("no route to host")

    def key_of(self, kid: str) -> Any:
        return key_of(kid)


class Answer:
    """What a server got of an app: its head, and its parts as long as they came."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], error: Any = None
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, dict(headers)
        return self.parts.append

    @property
    def code(self) -> str:
        return str(json.loads(b"".join(self.parts))["code"])


class Server:
    """A server with one app behind a guard, which does what a test says."""

    def __init__(self, **more: Any) -> None:
        self.authority = Now()
        self.environ: dict[str, Any] = {}
        self.ran = 0
        self.answers: Callable[[Any], Iterable[bytes]] = self.plain
        self.time = 0.0
        policy: Policy = loads(TOOL.encode())
        self.app = GuardMiddleware(self.run, policy, authority=self.authority, **more)

    def run(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        self.ran += 1
        self.environ = environ
        return self.answers(start)

    def plain(self, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    def environ_of(self, **changes: Any) -> dict[str, Any]:
        token = text_of(self.authority.call("transfer_money", TRANSFER))
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/api/transfers",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(BODY)),
            "HTTP_TXN_TOKEN": token,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(BODY),
            "wsgi.errors": None,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **changes,
        }
        return {name: value for name, value in environ.items() if value is not None}

    def send(self, taken: int | None = None, **changes: Any) -> Answer:
        """Send the transfer, but for these changes of the environ; the client takes so many parts of the answer."""
        answer = Answer()
        body = self.app(self.environ_of(**changes), answer.start)
        try:
            for part in body:
                answer.parts.append(part)
                if len(answer.parts) == taken:
                    break
        finally:
            if close := getattr(body, "close", None):
                close()
        return answer


@pytest.fixture
def server() -> Server:
    return Server()


def test_it_speaks_wsgi(server: Server) -> None:
    """PEP 3333, as the validator of the standard library has it."""
    app = validator(server.app)
    answer = Answer()
    body = app(server.environ_of(**{"wsgi.errors": sys.stderr}), answer.start)
    assert list(body) == [b"ok"]
    body.close()  # type: ignore[attr-defined]  # PEP 3333 lets an iterable have it
    assert server.authority.log == ["redeem", "report succeeded"]


class TestTheCall:
    def test_is_handed_over_with_the_bytes_that_were_verified(self, server: Server) -> None:
        assert server.send().status == "200 OK"
        call = guarded_call(server.environ, "transfer_money")
        assert (call.arguments, call.tool, call.user_id) == (TRANSFER, "transfer_money", "usr_1")
        assert server.environ["wsgi.input"].read() == BODY
        assert server.environ["CONTENT_LENGTH"] == str(len(BODY))

    def test_guard_9_is_none_where_a_request_came_around_the_guard(self, server: Server) -> None:
        forged: Any = {"PATH_INFO": "/other", "deputize.call": "mine"}
        server.send(**forged)
        assert server.ran == 1
        for environ in (server.environ, {}, {"deputize.call": {"tool": "transfer_money"}}):
            with pytest.raises(Unguarded, match=r"^nothing was done(.|\n)*came around its guard"):
                guarded_call(environ, "transfer_money")

    def test_guard_9_is_no_call_of_another_request(self, server: Server) -> None:
        """What a server has left of the last request in the environ of the next one is no call of that."""
        server.send()
        left: Any = {"PATH_INFO": "/other", "deputize.call": server.environ["deputize.call"]}
        server.send(**left)
        with pytest.raises(Unguarded, match="came around its guard"):
            guarded_call(server.environ, "transfer_money")

    def test_is_of_the_tool_that_its_handler_names(self, server: Server) -> None:
        server.send()
        with pytest.raises(
            Unguarded, match=r"^nothing was done(.|\n)*pay: (.|\n)*let through transfer_money\."
        ):
            guarded_call(server.environ, "pay")


class TestOutcome:
    """GUARD-5: whatever fails after the handler."""

    def reported(
        self, server: Server, taken: int | None = None, raises: type[Exception] | None = None
    ) -> str:
        if raises:
            with pytest.raises(raises):
                server.send(taken)
        else:
            server.send(taken)
        redeemed, *reports = server.authority.log
        assert (redeemed, server.ran, len(reports)) == ("redeem", 1, 1)
        return reports[0]

    def test_is_told_before_the_last_part_of_known_length_goes_out(self, server: Server) -> None:
        def answers(start: Any) -> Iterator[bytes]:
            start("201 Created", [("Content-Length", "4")])
            yield b"ab"
            server.authority.log.append("half")
            yield b"cd"

        server.answers = answers
        server.send(taken=2)
        assert server.authority.log == ["redeem", "half", "report succeeded"]

    @pytest.mark.parametrize(
        ("status", "outcome"), [("302 Found", "succeeded"), ("404 No", "failed"), ("500 No", "unknown")]
    )
    def test_is_what_the_status_says(self, server: Server, status: str, outcome: str) -> None:
        def answers(start: Any) -> Iterable[bytes]:
            start(status, [])
            return [b"x"]

        server.answers = answers
        assert self.reported(server) == f"report {outcome}"

    def test_is_unknown_where_the_app_raises(self, server: Server) -> None:
        def answers(start: Any) -> Iterable[bytes]:
            raise ValueError("a mistake of the site")

        server.answers = answers
        assert self.reported(server, raises=ValueError) == "report unknown"

    def test_is_unknown_where_a_generator_raises(self, server: Server) -> None:
        def answers(start: Any) -> Iterator[bytes]:
            start("200 OK", [])
            yield b"x"
            raise ValueError("a mistake of the site")

        server.answers = answers
        assert self.reported(server, raises=ValueError) == "report unknown"

    def test_is_unknown_where_a_part_is_missing(self, server: Server) -> None:
        def answers(start: Any) -> Iterable[bytes]:
            start("200 OK", [("Content-Length", "10")])
            return [b"x"]

        server.answers = answers
        assert self.reported(server) == "report unknown"

    def test_is_unknown_where_the_client_goes_away(self, server: Server) -> None:
        def answers(start: Any) -> Iterator[bytes]:
            start("200 OK", [])
            while True:
                yield b"x"

        server.answers = answers
        assert self.reported(server, taken=2) == "report unknown"

    def test_is_unknown_where_nothing_was_answered(self, server: Server) -> None:
        server.answers = lambda start: []
        assert self.reported(server) == "report unknown"

    @pytest.mark.parametrize("length", [[], [("Content-Length", "1")]])
    def test_stays_what_it_was_where_closing_fails(
        self, server: Server, length: list[tuple[str, str]]
    ) -> None:
        class Parts(list[bytes]):
            def close(self) -> None:
                raise ValueError("a mistake of the site")

        def answers(start: Any) -> Iterable[bytes]:
            start("200 OK", length)
            return Parts([b"x"])

        server.answers = answers
        assert self.reported(server, raises=ValueError) == "report succeeded"

    def test_is_of_the_last_head(self, server: Server) -> None:
        """PEP 3333: a head is another one while nothing has gone out."""

        def answers(start: Any) -> Iterable[bytes]:
            start("200 OK", [])
            start("500 No", [], (ValueError, ValueError("a mistake"), None))
            return [b"x"]

        server.answers = answers
        assert self.reported(server) == "report unknown"

    def test_is_told_of_what_is_written(self, server: Server) -> None:
        def answers(start: Any) -> Iterable[bytes]:
            write = start("200 OK", [("Content-Length", "2")])
            write(b"ok")
            assert server.authority.log == ["redeem", "report succeeded"]
            return []

        server.answers = answers
        assert self.reported(server) == "report succeeded"

    def test_that_cannot_be_told_changes_no_answer(
        self, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        def answers(start: Any) -> Iterable[bytes]:
            server.authority.away = True
            return server.plain(start)

        server.answers = answers
        assert server.send().parts == [b"ok"]
        assert "could not be reported" in caplog.text


class TestRefusals:
    def refused(self, server: Server, code: Code, **changes: Any) -> Answer:
        answer = server.send(**changes)
        assert (answer.code, answer.headers["Content-Type"]) == (code, "application/problem+json")
        assert server.ran == 0
        return answer

    def test_guard_6_nothing_runs_without_the_authority(self, server: Server) -> None:
        server.authority.away = True
        assert self.refused(server, Code.AUTHORITY_UNAVAILABLE).status == "503 Service Unavailable"

    @pytest.mark.parametrize("prefix", ["/api", "/x", "/"])
    def test_guard_9_a_script_name_that_nobody_has_told_of(self, server: Server, prefix: str) -> None:
        """A client may send one where its server believes him: then the app would read another path than its guard."""
        self.refused(server, Code.INVALID_REQUEST, SCRIPT_NAME=prefix)
        self.refused(server, Code.INVALID_REQUEST, SCRIPT_NAME=prefix, PATH_INFO="/other")

    def test_guard_9_a_script_name_is_a_part_of_the_path(self) -> None:
        server = Server(script_name="/api")
        self.refused(server, Code.INVALID_REQUEST)
        self.refused(server, Code.INVALID_REQUEST, SCRIPT_NAME="/ap", PATH_INFO="i/transfers")
        assert server.send(SCRIPT_NAME="/api", PATH_INFO="/transfers").status == "200 OK"

    @pytest.mark.parametrize(
        "path", ["/API/transfers", "//api/transfers", "/api/transfers/", "/api/transfers\\\xff"]
    )
    def test_guard_9_another_spelling(self, server: Server, path: str) -> None:
        if path.endswith("\xff"):  # what is not UTF-8 is no text, so no argument either
            assert server.send(PATH_INFO=path).status == "200 OK"
            with pytest.raises(Unguarded):
                guarded_call(server.environ, "transfer_money")
        else:
            self.refused(server, Code.INVALID_REQUEST, PATH_INFO=path)

    def test_guard_9_an_argument_in_the_path_that_is_not_utf_8(self, server: Server) -> None:
        """Of what cannot be decoded one sign is left: whoever approves that would approve any of it."""
        schema = 'required = ["name"], properties = { name = { type = "string" } }'
        placed = f'/api/transfers/{{name}}"\ninput_schema = {{ type = "object", {schema} }}'
        policy = loads(TOOL.replace('/api/transfers"', placed).encode())
        server.app = GuardMiddleware(server.run, policy, authority=server.authority)
        one_sign = text_of(server.authority.call("transfer_money", {"amount": 1, "name": "\ufffd"}))
        sent: Any = {
            "wsgi.input": BytesIO(b'{"amount":1}'),
            "CONTENT_LENGTH": "12",
            "HTTP_TXN_TOKEN": one_sign,
        }
        self.refused(server, Code.INVALID_REQUEST, PATH_INFO="/api/transfers/\xff", **sent)
        self.refused(server, Code.ARGUMENT_HASH_MISMATCH, PATH_INFO="/api/transfers/Ada", **sent)

    def test_guard_9_a_method_in_a_header(self, server: Server) -> None:
        changes: Any = {"REQUEST_METHOD": "GET", "HTTP_X_HTTP_METHOD_OVERRIDE": "POST"}
        self.refused(server, Code.INVALID_REQUEST, **changes)
        assert server.send(PATH_INFO="/other", **changes).status == "200 OK"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"CONTENT_LENGTH": "+5"}, Code.INVALID_REQUEST),
            ({"CONTENT_LENGTH": "5, 5"}, Code.INVALID_REQUEST),
            ({"CONTENT_LENGTH": "-1"}, Code.INVALID_REQUEST),
            ({"CONTENT_LENGTH": "\u0665"}, Code.INVALID_REQUEST),
            ({"CONTENT_LENGTH": str(len(BODY) + 1)}, Code.INVALID_REQUEST),
            ({"CONTENT_LENGTH": str(64 * 1024 + 1)}, Code.PAYLOAD_TOO_LARGE),
            ({"CONTENT_LENGTH": None}, Code.INVALID_REQUEST),
            ({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, Code.INVALID_REQUEST),
            ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}, Code.INVALID_REQUEST),
            (
                {
                    "HTTP_TRANSFER_ENCODING": "chunked",
                    "CONTENT_LENGTH": None,
                    "wsgi.input_terminated": True,
                    "wsgi.input": BytesIO(b"x" * (64 * 1024 + 1)),
                },
                Code.PAYLOAD_TOO_LARGE,
            ),
        ],
    )
    def test_guard_9_a_length_that_is_not_sure(self, server: Server, changes: Any, code: Code) -> None:
        self.refused(server, code, **changes)
        assert server.authority.log == []

    def test_a_body_in_chunks_is_read_to_its_end(self, server: Server) -> None:
        answer = server.send(
            HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=None, **{"wsgi.input_terminated": True}
        )
        assert answer.status == "200 OK"
        assert "HTTP_TRANSFER_ENCODING" not in server.environ
        assert server.environ["CONTENT_LENGTH"] == str(len(BODY))

    def test_json_4_a_body_that_took_too_long(self) -> None:
        now = [1.0]
        late = Server(clock=lambda: now[0])

        class Slow(BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                now[0] += 31
                return super().read(size)

        token = late.authority.call("transfer_money", TRANSFER, issued_at=0, expires_at=100)
        changes = {"HTTP_TXN_TOKEN": text_of(token), "wsgi.input": Slow(BODY)}
        self.refused(late, Code.REQUEST_TIMEOUT, **changes)

    def test_a_connection_that_ends_in_its_body(self, server: Server) -> None:
        class Broken(BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise OSError("the client is gone")

        self.refused(server, Code.INVALID_REQUEST, **{"wsgi.input": Broken()})

    def test_control_characters_in_a_path(self, server: Server) -> None:
        self.refused(server, Code.INVALID_REQUEST, PATH_INFO="/other\n")


class TestPolicy:
    def test_only_what_is_at_this_origin_is_guarded(self) -> None:
        """ENDPOINT-1: each origin of an API has endpoints of its own."""
        here, there = Server(), Server(origin="https://api.bank.example")
        assert here.send(PATH_INFO="/pay").status == "200 OK"
        assert there.send().status == "200 OK"
        assert there.send(PATH_INFO="/pay").code == Code.CALL_WRONG_TOOL

    def test_a_guard_that_would_guard_nothing_is_none(self) -> None:
        policy = loads(TOOL.replace("endpoint =", "# endpoint =").encode())
        with pytest.raises(ValueError, match="names no endpoint of this API"):
            GuardMiddleware(Server().run, policy, KEY)

    def test_a_guard_has_a_key(self) -> None:
        with pytest.raises(ValueError, match="a guard needs its key"):
            GuardMiddleware(Server().run, loads(TOOL.encode()))
        assert (ISSUER, AUDIENCE) == ("https://bank.example/deputize", "https://bank.example/api")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://bank.example", True), ("https://www.bank.example", False), (None, False), ("null", False)],
)
def test_the_pages_of_the_site_may_read_why_it_was_refused_and_no_others(
    origin: str | None, allowed: bool
) -> None:
    """GUARD-11: the app, which knows of other origins, was not asked."""
    server = Server()
    answer = server.send(HTTP_TXN_TOKEN=None, HTTP_ORIGIN=origin)
    assert (answer.code, server.ran) == ("missing_call_token", 0)
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert answer.headers.get("Access-Control-Allow-Credentials") == ("true" if allowed else None)
    assert (
        "Access-Control-Allow-Origin" not in server.send(HTTP_ORIGIN=origin).headers
    )  # the app's own answer
