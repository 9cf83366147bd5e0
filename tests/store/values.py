"""Values to store: each maker takes what its test is about, and has a default for the rest."""

import hashlib
from typing import Any

from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.call import LIFETIME, Call, State
from deputize.protocol.canonical import b64u
from deputize.protocol.challenge import Challenge, Purpose
from deputize.protocol.constraint import Constraints
from deputize.protocol.credential import AuthenticatorClass, Credential, User
from deputize.protocol.description import Description, Row
from deputize.protocol.entry import Entry
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import (
    CallId,
    ChallengeId,
    ClientId,
    CredentialId,
    GrantId,
    Jkt,
    UserId,
    make_id,
)
from deputize.protocol.proof import Proof
from deputize.protocol.request import AuthorizationRequest
from deputize.protocol.scope import ScopeSet
from deputize.service.ports import Session

NOW = 1_800_000_000


def digest(name: object) -> bytes:
    return hashlib.sha256(repr(name).encode()).digest()


def text(prefix: str, name: object) -> str:
    return make_id(prefix, digest(name))


def user_id(name: object = "ada") -> UserId:
    return UserId(text("usr", name))


def client_id(name: object = "agent") -> ClientId:
    return ClientId(text("agt", name))


def grant_id(name: object = "grant") -> GrantId:
    return GrantId(text("grt", name))


def call_id(name: object = "call") -> CallId:
    return CallId(text("cal", name))


def challenge_id(name: object = "challenge") -> ChallengeId:
    return ChallengeId(text("chl", name))


def jkt(name: object = "key") -> Jkt:
    return Jkt(b64u(digest(name)))


def user(name: str = "ada", **others: Any) -> User:
    fields: dict[str, Any] = {"name": name, "handle": digest(name), "created_at": NOW}
    return User(user_id=user_id(name), **{**fields, **others})


def session(name: object = "session", **others: Any) -> Session:
    fields: dict[str, Any] = {"user_id": user_id(), "auth_time": NOW - 5, "expires_at": NOW + 60}
    return Session(digest=digest(name), **{**fields, **others})


def credential(name: object = "passkey", **others: Any) -> Credential:
    fields: dict[str, Any] = {
        "user_id": user_id(),
        "public_key": digest(("public", name)),
        "sign_count": 0,
        "transports": frozenset({"internal", "hybrid"}),
        "label": "Ada’s telephone",
        "created_at": NOW,
        "active": True,
    }
    return Credential(credential_id=CredentialId(b64u(digest(name))), **{**fields, **others})


def agent(name: object = "agent", /, **others: Any) -> Agent:
    fields: dict[str, Any] = {
        "assurance": Assurance.OPAQUE,
        "jkt": jkt(name),
        "user_id": user_id(),
        "created_at": NOW,
    }
    return Agent(client_id=client_id(name), **{**fields, **others})


def grant(name: object = "grant", **others: Any) -> Grant:
    fields: dict[str, Any] = {
        "user_id": user_id(),
        "client_id": client_id(),
        "scopes": ScopeSet.of(["account:read", "payments:write"]),
        "state": GrantState.PENDING,
        "shown": {
            "agent": {"assurance": "opaque"},
            "expires_in": 3600,
            "site": "Zürich",
            "scopes": [{"n": 1}],
        },
        "created_at": NOW,
        "expires_at": NOW + 600,
        "jkt": jkt(),
    }
    return Grant(grant_id=grant_id(name), **{**fields, **others})


def request(name: object = "request", /, **others: Any) -> AuthorizationRequest:
    fields: dict[str, Any] = {
        "client_id": client_id(),
        "assurance": Assurance.ORIGIN,
        "name": "Robot ✂",
        "document_s256": b64u(digest("document")),
        "jkt": jkt(),
        "scopes": ScopeSet.of(["account:read"]),
        "constraints": Constraints(),
        "redirect_uri": "https://agent.example/back",
        "state": "xyz",
        "code_challenge": b64u(digest("verifier")),
        "user_code": None,
        "secret_digest": None,
        "expires_at": NOW + 90,
    }
    return AuthorizationRequest(request_id=f"req_{name}", **{**fields, **others})


def challenge(name: object = "challenge", **others: Any) -> Challenge:
    fields: dict[str, Any] = {
        "purpose": Purpose.CALL,
        "nonce": digest(("nonce", name)),
        "action_hash": digest(("action", name)),
        "tool": "transfer_money",
        "subject": call_id(),
        "owner": user_id(),
        "page_jkt": jkt(),
        "expires_at": NOW + 60,
    }
    return Challenge(challenge_id=challenge_id(name), **{**fields, **others})


def proof(name: object = "jti", key: object = "key", keep_until: int = NOW + 90) -> Proof:
    return Proof(jkt(key), str(name), keep_until)


def call(name: object = "call", state: State = State.APPROVED, **others: Any) -> Call:
    fields: dict[str, Any] = {
        "state": state,
        "user_id": user_id(),
        "client_id": client_id(),
        "grant_id": grant_id(),
        "page_jkt": jkt(),
        "tool": "transfer_money",
        "scopes": ScopeSet.of(["payments:write"]),
        "arguments": {"amount": 250, "note": "für Ada", "when": None, "to": ["a", 1.5]},
        "args_s256": b64u(digest("arguments")),
        "definition_s256": b64u(digest("definition")),
        "match_key": digest("match"),
        "salt": digest(("salt", name)),
        "description": Description("Send 250.00 EUR?", (Row("To", ("Ada", "Grace")), Row("Memo", ("x",)))),
        "authenticator_class": AuthenticatorClass.CROSS_PLATFORM,
        "executes": "api",
        "created_at": NOW,
        "deadline": NOW + LIFETIME.get(state, 0),
        "entry": 0,
    }
    return Call(call_id=call_id(name), **{**fields, **others})


def entry(name: object = "entry") -> Entry:
    return Entry("call.approved", {"call_id": text("cal", name), "code": None, "amount": 1})
