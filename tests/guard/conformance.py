"""What plays `tests/vectors/guard.json` against a guard: an authority that it asks, and a client that sends a case."""

import json
import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deputize.crypto import dpop, jwk_file, jwt
from deputize.guard.guard import refusal_response
from deputize.protocol.canonical import args_s256, b64u
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.ids import CallId, ClientId, GrantId, UserId, make_id
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import CALL_TYP, CallToken

from .conftest import served

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "guard.json").read_text())
CASES: list[dict[str, Any]] = VECTORS["cases"]
GUARD_KEY = generate_private_key(SECP256R1())
OTHER_KEY = generate_private_key(SECP256R1())
_KEY = generate_private_key(SECP256R1())
_WAIT = 10  # seconds for an answer


@dataclass
class StubAuthority:
    """An authority that signs call tokens, and answers its guard as the case at hand says (PROTOCOL §7)."""

    issuer: str = ""
    behaves: str = "as always"
    redeemed: set[str] = field(default_factory=set)
    outcomes: "SimpleQueue[str]" = field(default_factory=SimpleQueue)

    @contextmanager
    def serving(self) -> Iterator["StubAuthority"]:
        routes = [
            Route("/deputize/jwks.json", self._jwks),
            Route("/deputize/calls/{call_id}/redemption", self._redemption, methods=["POST"]),
            Route("/deputize/calls/{call_id}/outcome", self._outcome, methods=["POST"]),
        ]
        with served(Starlette(routes=routes)) as url:
            self.issuer = f"http://localhost:{urlsplit(url).port}/deputize"
            yield self

    def token(self, said: Any) -> str:
        """Sign a call token as a case says."""
        if isinstance(said, str):
            return said
        now = int(time.time())
        token = CallToken(
            call_id=CallId(make_id("cal", secrets.token_bytes(16))),
            user_id=UserId("usr_1"),
            client_id=ClientId("agt_1"),
            grant_id=GrantId("grt_1"),
            tool=said["tool"],
            args_s256=args_s256(said["arguments"]),
            scopes=ScopeSet.of(["payments:write"]),
            approval=None,
            entry=7,
            issued_at=now,
            expires_at=now + said.get("expires_in", 30),
        )
        claims = token.claims(said.get("issuer", self.issuer), said.get("audience", VECTORS["audience"]))
        if said.get("alg") == "none":
            head = json.dumps({"alg": "none", "typ": CALL_TYP, "kid": "one"}).encode()
            return f"{b64u(head)}.{b64u(json.dumps(claims).encode())}."
        key = OTHER_KEY if said.get("forged") else _KEY
        more = {"crit": said["crit"]} if "crit" in said else {}
        header = jwt.encode_header(said.get("typ", CALL_TYP), kid=said.get("kid", "one"), **more)
        return jwt.sign_with_header(header, claims, key)

    async def _jwks(self, request: Request) -> Response:
        public = ECAlgorithm.to_jwk(_KEY.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig", "alg": "ES256"}]})

    async def _redemption(self, request: Request) -> Response:
        call_id = self._proved(request, "redemption")
        if self.behaves == "away":
            return Response("Bad gateway", 502)
        if self.behaves == "denies":
            return refusal_response(Refusal(Code.GRANT_REVOKED, "The user has revoked this grant."))
        if self.behaves == "distrusts":
            return refusal_response(Refusal(Code.INVALID_DPOP_PROOF, "This key is not known here."))
        if self.behaves == "confused":
            return JSONResponse({"call_id": "cal_another", "state": "redeemed", "external_id": "ada"})
        if self.behaves == "redeemed" or call_id in self.redeemed:
            return refusal_response(Refusal(Code.CALL_REDEEMED, "This call was executed already."))
        self.redeemed.add(call_id)
        return JSONResponse({"call_id": call_id, "state": "redeemed", "external_id": "ada"})

    async def _outcome(self, request: Request) -> Response:
        call_id = self._proved(request, "outcome")
        if self.behaves == "going":
            return Response("Bad gateway", 502)
        assert call_id in self.redeemed
        self.outcomes.put((await request.json())["outcome"])
        return JSONResponse({"call_id": call_id})

    def _proved(self, request: Request, what: str) -> str:
        """Return whose call this is about, once the guard has proved its key (PROOF-4)."""
        call_id = str(request.path_params["call_id"])
        url = f"{self.issuer}/calls/{call_id}/{what}"
        dpop.verify(request.headers.getlist("deputize-guard"), "POST", url, int(time.time()))
        return call_id


@dataclass
class Guarded:
    """A site behind the guard that is tried, and the authority that it asks."""

    port: int
    authority: StubAuthority

    def play(self, case: dict[str, Any]) -> None:
        """Play one case."""
        self.authority.behaves = case.get("authority", "as always")
        before = self.ran()
        said = case["token"]
        tokens = [] if said is None else [self.authority.token(each) for each in listed(said)]
        status, body = self.send(case["request"], tokens)
        ran = self.ran()[len(before) :]
        assert len(ran) == case["runs"], (status, body, ran)
        match case["answer"]["status"]:
            case "refused":
                assert status is None or status >= 300, (status, body)
            case "any":
                pass
            case expected:
                assert status == expected, (status, body)
        if code := case["answer"].get("code"):
            assert json.loads(body)["code"] == code
        if case["runs"]:
            assert ran == [{"tool": said["tool"], "arguments": case["arguments"]}]
        if "outcome" in case:  # which may be told behind an answer that broke off
            assert self.authority.outcomes.get(timeout=_WAIT) == case["outcome"]
        assert self.authority.outcomes.empty()

    def ran(self) -> list[Any]:
        """Return what handlers ran until now."""
        status, body = self.send({"method": "GET", "target": "/ran", "headers": {}}, [])
        assert status == 200, body
        found: list[Any] = json.loads(body)
        return found

    def send(self, request: dict[str, Any], tokens: Iterable[str]) -> tuple[int | None, bytes]:
        """Send a request as it stands; return status and body of its answer, None and nothing if there is none."""
        head = [f"{request['method']} {request['target']} HTTP/1.1", f"Host: localhost:{self.port}"]
        head += [f"{name}: {each}" for name, values in request["headers"].items() for each in listed(values)]
        head += [f"Txn-Token: {token}" for token in tokens]
        given = {name.lower() for name in request["headers"]}
        body = b""
        if "chunks" in request:
            head.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(each), each.encode()) for each in request["chunks"])
            body += b"0\r\n\r\n"
        elif "body" in request:
            body = request["body"].encode() + b"x" * request.get("padding", 0)
            if "content-length" not in given:
                head.append(f"Content-Length: {len(body)}")
        head.append("Connection: close")
        data = "\r\n".join([*head, "", ""]).encode() + body
        answer = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), timeout=_WAIT) as connection:
            with suppress(ConnectionError):  # it may answer, and close, before it has read all
                connection.sendall(data)
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
        return _read(bytes(answer))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read(answer: bytes) -> tuple[int | None, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return None, b""
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        body = b"".join(_chunks(body))
    return int(lines[0].split()[1]), body


def _chunks(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16) if size else 0
        yield rest[:length]
        body = rest[length + 2 :] if length else b""


def policy_of(authority: StubAuthority) -> str:
    """Write the policy that the vectors are for."""
    lines = [
        "[site]",
        'name = "Conformance"',
        f'origin = "{VECTORS["audience"]}"',
        f'issuer = "{authority.issuer}"',
        "[api]",
        jwk_file.line("keys", GUARD_KEY),
        '[scopes."payments:write"]',
        'title = "Pay"',
    ]
    for name, tool in VECTORS["tools"].items():
        lines += [f"[tools.{name}]", 'scopes = ["payments:write"]']
        lines += [f"{key} = {_toml(value)}" for key, value in tool.items()]
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    return "[" + ", ".join(map(_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def keyfile(folder: Path) -> Path:
    """Write the guard's key."""
    path = folder / "guard.jwk"
    jwk_file.save(GUARD_KEY, path)
    return path
