"""All that an agent says to an authority (PROTOCOL §11, §13, §14), as flows without a network (`wire.py`).

What the methods of a client are called, what they take, return and raise: it is said here, for both clients.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from ..protocol.canonical import Json, args_s256, b64u
from ..protocol.client import DEVICE_CODE, POLL_INTERVAL, TOKEN_EXCHANGE
from ..protocol.url import is_secure
from .channel import Channel
from .errors import NotDeputized, OAuthError, Unexpected, oauth_error
from .key import AgentKey
from .metadata import Metadata
from .tokens import Tokens, TokenStore
from .wire import Flow

EVIDENCE = "deputize_delegation"
"""The input member in which a tool gets the evidence (EVID-1)."""

RENEW_BEFORE = 30
"""Seconds before the end of a delegation token at which it is renewed."""

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
Details = Iterable[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """The code that a user types at `verification_uri` within `expires_in` seconds (RFC 8628 §3.2).

    At `verification_uri_complete` there is nothing to type.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class _Pending:
    """A pushed request to which the browser has brought no answer yet."""

    redirect_uri: str
    code_verifier: str = field(repr=False)


class Flows:
    """What one agent says to one authority for one user, and the tokens that it holds."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        key: AgentKey,
        store: TokenStore | None,
        clock: Callable[[], float],
    ) -> None:
        """Go on with what the store has; ValueError for an issuer without https, or another's tokens."""
        if not is_secure(issuer):
            raise ValueError("an authority is reached by https, or by http on this machine")
        self.issuer, self.client_id = issuer, client_id
        self._key = key
        self._channel = Channel(issuer, client_id, key, clock)
        self._store = store
        self._pending: dict[str, _Pending] = {}
        self.tokens = store.read() if store is not None else None
        if self.tokens is not None and (self.tokens.issuer, self.tokens.client_id) != (issuer, client_id):
            raise ValueError("these tokens are another agent's, or another authority's")

    def discover(self) -> Flow[Metadata]:
        """Return the authority's metadata (RFC 8414); it is fetched once."""
        return self._channel.discover()

    def authorization_url(
        self, scope: str, redirect_uri: str, authorization_details: Details | None = None
    ) -> Flow[str]:
        """Push an authorization request, with PKCE, and return the URL to send the user to (OAUTH-3; RFC 9126)."""
        there = yield from self.discover()
        state, verifier = b64u(secrets.token_bytes(16)), b64u(secrets.token_bytes(32))
        asked = {
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": state,
            "code_challenge": b64u(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "dpop_jkt": self._key.thumbprint,
            **_details(authorization_details),
        }
        pushed = yield from self._channel.post(there.pushed_authorization_request_endpoint, asked)
        request_uri = pushed.get("request_uri")
        if not isinstance(request_uri, str):
            raise Unexpected("The authority took the request and did not say under which request_uri.")
        self._pending[state] = _Pending(redirect_uri, verifier)
        query = urlencode({"client_id": self.client_id, "request_uri": request_uri})
        return f"{there.authorization_endpoint}?{query}"

    def expects(self, redirect_url: str) -> bool:
        """Tell whether the browser was sent to this URL as the answer to a request of this agent."""
        return _query(redirect_url).get("state") in self._pending

    def finish(self, redirect_url: str) -> Flow[Tokens]:
        """Take the URL that the browser came back to, and collect the delegation (OAUTH-5).

        AccessDenied if the user said no, Unexpected for a URL that does not answer a request of this agent.
        """
        said = _query(redirect_url)
        pending = self._pending.pop(said.get("state", ""), None)
        if pending is None:
            raise Unexpected("This redirect answers no request of this agent: its state is unknown.")
        if said.get("iss") != self.issuer:  # RFC 9207 §2.4
            raise Unexpected("This redirect comes from another authority than the one that was asked.")
        if "error" in said:
            raise oauth_error(said["error"], said.get("error_description", ""))
        if "code" not in said:
            raise Unexpected("This redirect has neither a code nor an error.")
        collected = {
            "grant_type": "authorization_code",
            "code": said["code"],
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.code_verifier,
        }
        return (yield from self._collect(collected))

    def device(
        self,
        scope: str,
        show: Callable[[DeviceCode], object],
        authorization_details: Details | None = None,
    ) -> Flow[Tokens]:
        """Let the user decide on another device, and wait for that (OAUTH-7; RFC 8628).

        `show` gets what to tell the user. AccessDenied if the user said no, RequestExpired if nobody answered.
        """
        there = yield from self.discover()
        asked = {"scope": scope, **_details(authorization_details)}
        said = yield from self._channel.post(there.device_authorization_endpoint, asked)
        match said:
            case {
                "device_code": str(device_code),
                "user_code": str(user_code),
                "verification_uri": str(page),
                "expires_in": int(expires_in),
            }:
                complete = said.get("verification_uri_complete")
            case _:
                raise Unexpected("The authority did not answer with a device code.")
        show(DeviceCode(user_code, page, complete if isinstance(complete, str) else page, expires_in))
        interval = said.get("interval")
        wait = interval if isinstance(interval, int) else POLL_INTERVAL
        while True:
            try:
                asked = {"grant_type": DEVICE_CODE, "device_code": device_code}
                return (yield from self._collect(asked, after=wait))
            except OAuthError as error:
                if error.code == "slow_down":
                    wait += 5  # RFC 8628 §3.5
                elif error.code != "authorization_pending":
                    raise

    def fresh(self) -> Flow[Tokens]:
        """Return tokens that are good for 30 s at least, renewed if need be; NotDeputized, ConsentNeeded."""
        if self.tokens is None:
            raise NotDeputized("No user has deputized this agent yet.")
        if self._channel.now < self.tokens.expires_at - RENEW_BEFORE:
            return self.tokens
        return (yield from self.refresh())

    def refresh(self) -> Flow[Tokens]:
        """Renew the delegation token now (GRANT-6); NotDeputized, ConsentNeeded, after which the tokens are dropped."""
        if self.tokens is None or self.tokens.refresh_token is None:
            raise NotDeputized("There is nothing to renew a delegation with: ask the user.")
        try:
            asked = {"grant_type": "refresh_token", "refresh_token": self.tokens.refresh_token}
            return (yield from self._collect(asked))
        except OAuthError as error:
            if error.code == "invalid_grant":
                self._keep(None)
            raise

    def hand_on(
        self,
        child_client_id: str,
        child_jkt: str,
        scope: str | None = None,
        authorization_details: Details | None = None,
    ) -> Flow[str]:
        """Return a handoff for a sub-agent with the key of this thumbprint, good once, for 60 s (CHAIN-1).

        It hands on all that this agent has, or less where `scope` and `authorization_details` say so.
        """
        there = yield from self.discover()
        tokens = yield from self.fresh()
        asked = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": tokens.access_token,
            "subject_token_type": _ACCESS_TOKEN,
            "requested_token_type": _JWT,
            "requested_actor": child_client_id,
            "dpop_jkt": child_jkt,
            **({} if scope is None else {"scope": scope}),
            **_details(authorization_details),
        }
        said = yield from self._channel.post(there.token_endpoint, asked)
        match said:
            case {"access_token": str(handoff), "issued_token_type": issued} if issued == _JWT:
                return handoff
        raise Unexpected("The authority did not answer with a handoff.")

    def take_over(
        self, handoff: str, scope: str | None = None, authorization_details: Details | None = None
    ) -> Flow[Tokens]:
        """Turn a parent's handoff into a delegation of one's own (CHAIN-2)."""
        asked = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": handoff,
            "subject_token_type": _JWT,
            "requested_token_type": _ACCESS_TOKEN,
            **({} if scope is None else {"scope": scope}),
            **_details(authorization_details),
        }
        return (yield from self._collect(asked))

    def evidence(self, tool: str, arguments: Mapping[str, object]) -> Flow[dict[str, str]]:
        """Return the member to add to the input of one call of this tool with these arguments (EVID-1, EVID-2).

        It is good once, for 30 s.
        """
        there = yield from self.discover()
        tokens = yield from self.fresh()
        sent = cast("Json", {name: value for name, value in arguments.items() if name != EVIDENCE})
        bound = {"tool": tool, "args_s256": args_s256(sent)}
        url = there.deputize_calls_endpoint
        proof = self._key.proof("POST", url, self._channel.now, tokens.access_token, **bound)
        return {EVIDENCE: f"{tokens.access_token}~{proof}"}

    def introspect(self) -> Flow[dict[str, Json]]:
        """Ask what the delegation token is worth now, `{"active": False}` for nothing (OAUTH-8; RFC 7662)."""
        there = yield from self.discover()
        if self.tokens is None:
            return {"active": False}
        asked = {"token": self.tokens.access_token}
        return (yield from self._channel.post(there.introspection_endpoint, asked, proven=False))

    def revoke(self) -> Flow[None]:
        """Give the delegation back, and with it all that was handed on from it (OAUTH-9; RFC 7009)."""
        there = yield from self.discover()
        if self.tokens is not None:
            given_back = {"token": self.tokens.refresh_token or self.tokens.access_token}
            yield from self._channel.post(there.revocation_endpoint, given_back, proven=False)
            self._keep(None)

    def _collect(self, form: Mapping[str, str], after: float = 0.0) -> Flow[Tokens]:
        there = yield from self.discover()
        said = yield from self._channel.post(there.token_endpoint, form, after=after)
        tokens = Tokens.of(said, self.issuer, self.client_id, self._channel.now)
        self._keep(tokens)
        return tokens

    def _keep(self, tokens: Tokens | None) -> None:
        if self._store is not None:
            self._store.write(tokens)
        self.tokens = tokens


def _details(details: Details | None) -> dict[str, str]:
    if details is None:
        return {}
    return {"authorization_details": orjson.dumps([dict(detail) for detail in details]).decode()}


def _query(url: str) -> dict[str, str]:
    """Read the query of a redirect; empty if a parameter is repeated: which one would count?"""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    said = dict(pairs)
    return said if len(said) == len(pairs) else {}
