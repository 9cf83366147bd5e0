"""A site without HTTP: a real store, a policy, users with passkeys made in software, and agents that they deputized."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

import orjson
from tests import bank
from tests.store import values as v

from deputize import settings
from deputize.crypto.webauthn import Ceremonies, creation_options
from deputize.methods import webauthn
from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.canonical import Json, canonicalize, s256
from deputize.protocol.constraint import Constraints
from deputize.protocol.credential import User
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import Jkt
from deputize.protocol.policy import Policy
from deputize.protocol.proof import Proof
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import CallToken, Delegation
from deputize.service import grants
from deputize.service.approvals import Minted
from deputize.service.calls import arrivals, redemptions
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import PAGE, CallRequest, PageCall, Principal, Way
from deputize.service.credentials import make_credential
from deputize.service.methods import Methods
from deputize.service.moment import Moment
from deputize.service.ports import Reader, Tx
from deputize.store.sqlite import SqliteStore
from deputize.testing.authenticator import SoftAuthenticator

T = TypeVar("T")

ORIGIN = bank.ORIGIN
ALL = "account:read payments:write account:admin"
TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}
CLOSE: dict[str, Json] = {"why": "moving"}
POLICY = bank.POLICY.replace('executes = "page"\n', "")
"""The bank's, but that its API does all."""
SITE = settings.loads(POLICY.encode())


@dataclass
class Person:
    """A user, what she signs with, and the key of the page that she has open."""

    user: User
    devices: list[SoftAuthenticator] = field(default_factory=list)
    page_jkt: Jkt = field(default_factory=lambda: v.jkt(os.urandom(8)))


@dataclass
class Desk:
    """What use cases are given. Time is the test's."""

    store: SqliteStore
    policy: Policy = SITE
    now: int = v.NOW
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    names: "count[int]" = field(default_factory=count)
    inside: Tx | None = None

    @property
    def at(self) -> Moment:
        methods = Methods((webauthn.method(self.policy, b""),))
        return Moment(self.policy, os.urandom, self.now, methods=methods)

    @property
    def verifier(self) -> Ceremonies:
        return Ceremonies(self.policy.site.rp_id, frozenset({ORIGIN}))

    def do(self, fn: Callable[[Tx], T]) -> T:
        """Run a use case in a transaction, or in the one that is under way: a commit takes longer than all else."""

        def run(tx: Tx) -> T:
            self.inside = tx
            try:
                return fn(tx)
            finally:
                self.inside = None

        if self.inside is not None:
            return fn(self.inside)
        return self.loop.run_until_complete(self.store.transact(run))

    def look(self, fn: Callable[[Reader], T]) -> T:
        """Run one that reads a snapshot."""
        return self.store.look(fn) if self.inside is None else fn(self.inside)

    def close(self) -> None:
        self.store.close()
        self.loop.close()

    def entries(self) -> list[dict[str, Any]]:
        """Read the record."""
        return [orjson.loads(entry.leaf) for entry in self.look(lambda tx: tx.entries(0, 10_000))]

    def last(self) -> dict[str, Any]:
        """Read the newest entry."""
        return self.entries()[-1]

    def person(self, *transports: str) -> Person:
        """Sign somebody up, with one passkey for each of these transports."""
        person = Person(v.user(f"user {next(self.names)}"))
        self.do(lambda tx: tx.add(person.user))
        for transport in transports:
            self.enroll(person, transport)
        return person

    def enroll(self, person: Person, transport: str) -> None:
        """Give a user one more passkey, which was used once, so that its counter counts."""
        device = SoftAuthenticator(ORIGIN, (transport,))
        site, challenge = self.policy.site, os.urandom(32)
        user = person.user
        options = creation_options(challenge, site.rp_id, site.name, user.handle, user.name, 60)
        made = self.verifier.registration(device.create(options), challenge)
        used_once = replace(made, sign_count=1)
        next(iter(device.keys.values())).count = 1
        credential = make_credential(user.user_id, used_once, "", self.now, active=True)
        assert self.do(lambda tx: tx.add(credential))
        person.devices.append(device)

    def deputize(
        self,
        person: Person,
        scopes: str = ALL,
        details: Json = None,
        above: Delegation | None = None,
        **others: Any,
    ) -> Delegation:
        """Let a user deputize a new agent in her browser, or hand something on to it; `others` are of the grant."""
        name = next(self.names)
        agent = Agent(v.client_id(name), Assurance.OPAQUE, person.page_jkt, person.user.user_id, self.now)
        if self.look(lambda tx: tx.agent_by_key(person.page_jkt)) is not None:
            agent = replace(agent, jkt=v.jkt(name))
        grant = v.grant(
            name,
            user_id=person.user.user_id,
            client_id=agent.client_id,
            scopes=ScopeSet.of(scopes.split()),
            constraints=Constraints.parse(details if details is not None else []),
            parent_id=above.grant_id if above else None,
            **{"jkt": agent.jkt, "state": GrantState.ACTIVE, "expires_at": self.now + 3600, **others},
        )
        self.do(lambda tx: tx.add(agent))
        self.do(lambda tx: tx.add(grant))
        return Delegation.of(grant, agent, "jti", self.now)

    def replaced(
        self, older: Delegation, scopes: str, constraints: Constraints, **others: Any
    ) -> tuple[Grant, Grant]:
        """Let the user consent again: return the older grant, which is superseded, and the newer."""
        found = self.look(lambda tx: tx.grant(older.grant_id))
        assert found is not None
        newer = replace(
            found,
            grant_id=v.grant_id(next(self.names)),
            scopes=ScopeSet.of(scopes.split()),
            constraints=constraints,
            **others,
        )
        self.do(lambda tx: tx.move_grant(found.grant_id, GrantState.SUPERSEDED, self.now))
        self.do(lambda tx: tx.add(newer))
        return found, newer

    def proof(self, jkt: Jkt) -> Proof:
        """Make a proof that nobody has used."""
        return Proof(jkt, f"jti {next(self.names)}", self.now + 90)

    def request(
        self,
        person: Person,
        delegation: Delegation | None,
        tool: str = "get_balance",
        arguments: dict[str, Json] | None = None,
        way: Way = PAGE,
        **others: Any,
    ) -> CallRequest:
        """Make a call as web hands it in."""
        arguments = arguments if arguments is not None else {}
        canonical = canonicalize(arguments)
        page = {"page_jkt": person.page_jkt} if way is PAGE else {}
        proofs = (self.proof(person.page_jkt),)
        fields: dict[str, Any] = {
            "principal": Principal(person.user.user_id, delegation, proofs),
            "definition_s256": s256(tool.encode()),
            **page,
        }
        return CallRequest(
            way,
            tool=tool,
            arguments=arguments,
            canonical=canonical,
            args_s256=s256(canonical),
            **{**fields, **others},
        )

    def call(self, *asked: Any, **others: Any) -> Answered | Denied | Refusal:
        """Make a call, as `request` has it."""
        request = self.request(*asked, **others)
        return self.do(lambda tx: arrivals.create(tx, self.at, request))

    def allowed(self, *asked: Any, **others: Any) -> Answered:
        """Make one that is not refused."""
        made = self.call(*asked, **others)
        assert isinstance(made, Answered), made
        return made

    def said(self, *asked: Any, **others: Any) -> str:
        """Make a call, and say in a word how it came out."""
        return outcome(self.call(*asked, **others))

    def revoke(self, grant_id: str) -> None:
        """Take a grant back, as the owner."""
        assert self.do(lambda tx: grants.revoke(tx, grant_id, self.now)) is None

    def page_call(self, person: Person, made: Answered) -> PageCall:
        """Let the page of a call ask about it."""
        return PageCall(made.call.call_id, person.user.user_id, self.proof(person.page_jkt))

    def redeemed(self, made: Answered) -> Answered:
        """Let the site's API redeem a call."""
        token = CallToken.of(made.call, self.now)
        answer = self.do(lambda tx: redemptions.redeem(tx, self.at, None, token, token.args_s256))
        assert isinstance(answer, Answered), answer
        return answer

    def evidence(self, minted: Minted, device: SoftAuthenticator, own: bool = True) -> dict[str, Any]:
        """Sign a challenge with the first key of a device, whatever the challenge allows."""
        options = minted.offer(minted.challenge, 60)["requestOptions"]
        assert isinstance(options, dict)
        response = device.get(options, credential_id=next(iter(device.keys)))
        return {"method": "webauthn", "challengeId": minted.challenge.challenge_id, "response": response}


def outcome(decided: Answered | Denied | Minted | Refusal) -> str:
    """Say in a word how something came out: the state of the call, or why there is none."""
    match decided:
        case Answered():
            return decided.call.state.value
        case Denied():
            return decided.refusal.code.value
        case Refusal():
            return decided.code.value
    return "shown"
