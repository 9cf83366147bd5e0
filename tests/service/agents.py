"""Agents without HTTP, as web hands them in, in every detail of which a test may get something wrong."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.service.kit import Desk, Person
from tests.store import values as v

from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.canonical import Json, b64u
from deputize.protocol.client import DEVICE_CODE, TOKEN_EXCHANGE, AuthMethod, ClientDocument
from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.grant import Grant
from deputize.protocol.handoff import LIFETIME, Handoff
from deputize.protocol.ids import NO_KEY, ClientId, Jkt
from deputize.protocol.proof import Proof
from deputize.protocol.request import DEVICE_LIFETIME, PUSHED_LIFETIME, AuthorizationRequest
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import Delegation
from deputize.service import authorizations, consents, grants, handoffs
from deputize.service.clients import Client
from deputize.service.grants import PageRequest, Renewable, Renewal

BOTH = "account:read payments:write"
REDIRECT = "https://helper.example/callback"


def code_of(answer: object) -> Code | None:
    """Return why something was refused; None for what was not."""
    return answer.code if isinstance(answer, Refusal) else None


def scopes(text: str) -> ScopeSet:
    return ScopeSet.of(text.split())


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass
class Browser:
    """The agent in a person's browser: its key is the page's (AGENT-1)."""

    desk: Desk
    person: Person
    holds: Renewable | None = None

    def asking(self) -> PageRequest:
        """Make a request of the page, with a proof that nobody has used."""
        return PageRequest(self.person.user.user_id, self.desk.proof(self.person.page_jkt))

    def register(self) -> Agent | Refusal:
        return self.desk.do(lambda tx: consents.register_agent(tx, self.desk.at, self.asking()))

    def ask(
        self, scope: str = BOTH, expires_in: int | None = None, described: Mapping[str, str] | None = None
    ) -> Grant | Refusal:
        """Ask for consent, which nobody gives yet."""
        asked = scopes(scope)
        return self.desk.do(
            lambda tx: consents.request_grant(tx, self.desk.at, self.asking(), asked, expires_in, described)
        )

    def asked(self, *said: Any, **others: Any) -> Grant:
        """Ask for what is not refused."""
        asked = self.ask(*said, **others)
        assert isinstance(asked, Grant), asked
        return asked

    def consent(self, grant_id: str) -> Renewable | Refusal:
        """Let the user consent with a passkey."""
        desk = self.desk
        minted = desk.do(lambda tx: consents.challenge(tx, desk.at, self.asking(), grant_id))
        if isinstance(minted, Refusal):
            return minted
        evidence = desk.evidence(minted, self.person.devices[0])
        verdict = desk.look(lambda tx: consents.check(tx, desk.at, self.asking(), grant_id, evidence))
        return desk.do(lambda tx: consents.agree(tx, desk.at, self.asking(), grant_id, verdict))

    def deputized(
        self, scope: str = BOTH, expires_in: int | None = None, described: Mapping[str, str] | None = None
    ) -> Delegation:
        """Get a grant, and hold it."""
        assert isinstance(self.register(), Agent)
        given = self.consent(self.asked(scope, expires_in, described).grant_id)
        assert isinstance(given, Renewable), given
        self.holds = given
        return self.delegation

    @property
    def delegation(self) -> Delegation:
        assert self.holds is not None
        return Delegation.of(self.holds.grant, self.holds.agent, "jti", self.desk.now)

    def renew(self, generation: int | None = None, jkt: Jkt | None = None) -> Renewable | Refusal:
        """Use a refresh token, the newest if the test names no older one."""
        held = self.holds
        assert held is not None
        which = held.grant.refresh_generation if generation is None else generation
        answer = self.desk.do(
            lambda tx: grants.renew(
                tx, self.desk.at, jkt or held.grant.jkt, Renewal(held.grant.grant_id, which, None, None)
            )
        )
        self.holds = answer if isinstance(answer, Renewable) else held
        return answer


@dataclass
class Attested:
    """An agent that says who it is by its `client_id`. `make` lets the policy know one."""

    desk: Desk
    client_id: ClientId
    jkt: Jkt
    assurance: Assurance = Assurance.REGISTERED
    proves: bool = True
    verifier: str = ""
    holds: Renewable | None = None
    used: list[Proof] = field(default_factory=list)

    @classmethod
    def make(cls, desk: Desk, scope: str = BOTH) -> "Attested":
        """Let a new agent be registered in the policy."""
        name = next(desk.names)
        made = cls(desk, ClientId(f"https://agent{name}.example/agent.json"), v.jkt(("agent", name)))
        ceiling = desk.policy.ceiling
        known = {**ceiling.registered, made.client_id: scopes(scope)}
        desk.policy = replace(desk.policy, ceiling=replace(ceiling, registered=known))
        return made

    @classmethod
    def unproven(cls, desk: Desk, scope: str = BOTH) -> "Attested":
        """Let an app come that proves nothing, where the policy takes such apps (BEARER-1)."""
        origin = f"https://app{next(desk.names)}.example"
        ceiling = desk.policy.ceiling
        taken = replace(ceiling, origin=scopes(scope), origins=ceiling.origins | {origin})
        desk.policy = replace(desk.policy, ceiling=taken, bearer=True)
        return cls(desk, ClientId(f"{origin}/app.json"), NO_KEY, assurance=Assurance.OPAQUE, proves=False)

    @property
    def document(self) -> ClientDocument:
        asks = frozenset({"authorization_code", DEVICE_CODE, "refresh_token", TOKEN_EXCHANGE})
        return ClientDocument(
            self.client_id, "Helper", None, (REDIRECT,), AuthMethod.NONE, (), None, asks, None, False
        )

    @property
    def agent(self) -> Agent:
        return Agent(self.client_id, self.assurance, None, None, self.desk.now, "Helper")

    def client(self, **changed: Any) -> Client:
        """Come to the door, with proofs that nobody has used."""
        proof = self.desk.proof(self.jkt) if self.jkt != NO_KEY else None
        assertion = self.desk.proof(self.jkt) if self.proves else None
        client = replace(Client(self.agent, self.document, assertion, proof, self.jkt), **changed)
        self.used = [each for each in (client.assertion, client.proof) if each is not None]
        return client

    def request(
        self, scope: str = BOTH, details: Json = None, device_code: str | None = None, **changed: Any
    ) -> AuthorizationRequest:
        """Make what it asks for: in a browser or, with the code for it, on a device."""
        self.verifier = b64u(secrets.token_bytes(32))
        device = device_code is not None
        user_code = f"{next(self.desk.names):08}"
        made = AuthorizationRequest(
            f"req {next(self.desk.names)}",
            self.client_id,
            self.assurance,
            "Helper",
            self.document.document_s256,
            self.jkt,
            scopes(scope),
            Constraints.parse(details if details is not None else []),
            None if device else REDIRECT,
            None if device else "st",
            None if device else b64u(digest(self.verifier)),
            f"{user_code[:4]}-{user_code[4:]}" if device else None,
            digest(device_code) if device_code is not None else None,
            self.desk.now + (DEVICE_LIFETIME if device else PUSHED_LIFETIME),
        )
        return replace(made, **changed)

    def push(self, request: AuthorizationRequest, client: Client | None = None) -> Refusal | None:
        client = client or self.client()
        return self.desk.do(lambda tx: authorizations.push(tx, self.desk.at, client, request))

    def pushed(self, *said: Any, **changed: Any) -> AuthorizationRequest:
        """Push what is not refused."""
        request = self.request(*said, **changed)
        assert self.push(request) is None
        return request

    def show(self, person: Person, request: AuthorizationRequest) -> Grant | Refusal:
        user_id = person.user.user_id
        return self.desk.do(lambda tx: authorizations.show(tx, self.desk.at, request, user_id))

    def agree(
        self, person: Person, request: AuthorizationRequest, code: str = "code"
    ) -> tuple[AuthorizationRequest, str | None] | Refusal:
        """Let the user say yes to what is shown, with a passkey."""
        desk, user_id, name = self.desk, person.user.user_id, request.request_id
        minted = desk.do(lambda tx: authorizations.challenge(tx, desk.at, user_id, name))
        if isinstance(minted, Refusal):
            return minted
        evidence = desk.evidence(minted, person.devices[0])
        verdict = desk.look(lambda tx: authorizations.check(tx, desk.at, user_id, name, evidence))
        return desk.do(lambda tx: authorizations.agree(tx, desk.at, user_id, name, verdict, code))

    def agreed(self, person: Person, *said: Any, **changed: Any) -> str:
        """Ask somebody who agrees; return the code."""
        request, code = self.pushed(*said, **changed), f"code {next(self.desk.names)}"
        assert isinstance(self.show(person, request), Grant)
        settled = self.agree(person, request, code)
        assert not isinstance(settled, Refusal), settled
        return code

    def collect(self, code: str, client: Client | None = None, **changed: Any) -> Renewable | Refusal:
        """Bring a code to where it is good for a grant."""
        client = client or self.client()
        said = {"redirect_uri": REDIRECT, "code_verifier": self.verifier, **changed}
        return self._kept(
            self.desk.do(
                lambda tx: authorizations.redeem_code(tx, self.desk.at, client, digest(code), **said)
            )
        )

    def poll(self, device_code: str, client: Client | None = None) -> Renewable | Refusal:
        client = client or self.client()
        return self._kept(
            self.desk.do(lambda tx: authorizations.poll(tx, self.desk.at, client, digest(device_code)))
        )

    def deputized(self, person: Person, *said: Any, **changed: Any) -> "Attested":
        """Get a grant of this user, and hold it."""
        got = self.collect(self.agreed(person, *said, **changed))
        assert isinstance(got, Renewable), got
        return self

    @property
    def grant(self) -> Grant:
        """Return what it holds, as it was given."""
        assert self.holds is not None
        return self.holds.grant

    @property
    def delegation(self) -> Delegation:
        assert self.holds is not None
        return Delegation.of(self.grant, self.holds.agent, "jti", self.desk.now)

    def renew(
        self, client: Client | None = None, scope: str | None = None, held: Renewable | None = None
    ) -> Renewable | Refusal:
        """Use the newest refresh token, or that of what it held once."""
        client, held = client or self.client(), held or self.holds
        assert held is not None
        narrowed = scopes(scope) if scope is not None else None
        asked = Renewal(held.grant.grant_id, held.grant.refresh_generation, None, narrowed)
        return self._kept(self.desk.do(lambda tx: authorizations.renew(tx, self.desk.at, client, asked)))

    def hand_on(
        self,
        child: "Attested",
        details: Json = None,
        scope: str | None = None,
        client: Client | None = None,
        delegation: Delegation | None = None,
    ) -> Handoff | Refusal:
        """Offer a part of what it has to another agent (CHAIN-1)."""
        client, delegation = client or self.client(), delegation or self.delegation
        asked = Constraints.parse(details if details is not None else [])
        wanted = scopes(scope) if scope is not None else None
        return self.desk.do(
            lambda tx: handoffs.hand_on(
                tx, self.desk.at, client, delegation, child.client_id, child.jkt, wanted, asked
            )
        )

    def handed(self, child: "Attested", *said: Any, **others: Any) -> "Received":
        """Hand on what is not refused."""
        handoff = self.hand_on(child, *said, **others)
        assert isinstance(handoff, Handoff), handoff
        once = Proof(child.jkt, f"handoff {next(self.desk.names)}", self.desk.now + 2 * LIFETIME)
        return Received(handoff, once)

    def take_over(
        self,
        received: "Received",
        details: Json = None,
        scope: str | None = None,
        client: Client | None = None,
    ) -> Renewable | Refusal:
        """Turn a handoff into a grant of its own (CHAIN-2)."""
        client = client or self.client()
        asked = Constraints.parse(details if details is not None else [])
        wanted = scopes(scope) if scope is not None else None
        return self._kept(
            self.desk.do(
                lambda tx: handoffs.take_over(
                    tx, self.desk.at, client, received.handoff, received.once, wanted, asked
                )
            )
        )

    def deputizes(self, child: "Attested", details: Json = None, scope: str | None = None) -> "Attested":
        """Hand on to a sub-agent, which takes over."""
        taken = child.take_over(self.handed(child, details, scope))
        assert isinstance(taken, Renewable), taken
        return child

    def call(self, person: Person, tool: str = "get_balance", arguments: Any = None) -> str:
        """Make a call on a person's page; say how it came out."""
        return self.desk.said(person, self.delegation, tool, arguments)

    def _kept(self, answer: Renewable | Refusal) -> Renewable | Refusal:
        self.holds = answer if isinstance(answer, Renewable) else self.holds
        return answer


@dataclass(frozen=True)
class Received:
    """A handoff as its child brings it, with the proof that spends it."""

    handoff: Handoff
    once: Proof
