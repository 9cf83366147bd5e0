"""Finding out who a client is: in the policy, or at its own origin, where the policy allows that origin."""

from collections.abc import Callable

from ..protocol import canonical
from ..protocol.agent import Agent, Assurance
from ..protocol.client import AuthMethod, ClientDocument, parse_client, parse_client_id
from ..protocol.errors import Code, Refused
from ..protocol.ids import NO_KEY, ClientId
from ..protocol.jwk import Key, parse_keys
from ..protocol.policy import Policy
from ..service.clients import Client
from .fetcher import Fetcher

_ROTATION = 10  # seconds after which an unknown key may be a new one


class Clients:
    """Looks clients up. Nothing is fetched from an origin that the policy does not name (AGENT-4)."""

    def __init__(self, policy: Policy, fetcher: Fetcher) -> None:
        """Look in this policy first, then with this fetcher."""
        self._policy = policy
        self._fetcher = fetcher

    async def find(self, client_id: str, now: int, since: int = 0, keyless: bool = False) -> Client:
        """Find a client by its `client_id`, with a document that was fetched at `since` or later; it has no proofs yet.

        Refused(invalid_client) for one that may not be here, cannot be found or, unless `keyless`, cannot prove who it
        is; Refused(invalid_client_metadata) for a document that cannot be used.
        """
        registered = self._policy.registered.get(ClientId(client_id))
        if registered is not None:
            return _unproven(registered, Assurance.REGISTERED, now)
        development = self._policy.development
        if parse_client_id(client_id, development).origin not in self._policy.ceiling.origins:
            detail = "This site takes no agents from the origin of this client_id."
            raise Refused(Code.INVALID_CLIENT, detail)
        body = (await self._fetcher.json(client_id, since)).body
        try:
            document = parse_client(client_id, body, development)
        except Refused:
            self._fetcher.forget(client_id)  # draft-ietf-oauth-client-id-metadata-document §5.2
            raise
        if document.auth_method is not AuthMethod.NONE:
            return _unproven(document, Assurance.ORIGIN, now)
        if not keyless:
            raise Refused(Code.INVALID_CLIENT, "An agent has to prove who it is here, with private_key_jwt.")
        return _unproven(document, Assurance.OPAQUE, now)  # BEARER-2

    def takes(self, client_id: str) -> bool:
        """Tell whether the policy allows a client of this id, without fetching anything."""
        try:
            origin = parse_client_id(client_id, self._policy.development).origin
        except Refused:
            return False
        return client_id in self._policy.registered or origin in self._policy.ceiling.origins

    async def keys(
        self, document: ClientDocument, wanted: Callable[[Key], bool], now: int
    ) -> tuple[Key, ...]:
        """Return a client's keys, fetched if need be, and again if none of them is `wanted`: keys rotate.

        Refused(invalid_client_metadata) for a JWK Set that cannot be used, and as `Fetcher.json`.
        """
        if document.jwks_uri is None:
            return document.keys
        keys = await self._fetch_keys(document.jwks_uri)
        if not any(map(wanted, keys)):
            keys = await self._fetch_keys(document.jwks_uri, now - _ROTATION)
        return keys

    async def _fetch_keys(self, jwks_uri: str, since: int = 0) -> tuple[Key, ...]:
        body = (await self._fetcher.json(jwks_uri, since)).body
        try:
            return parse_keys(canonical.parse(body))
        except ValueError as error:
            self._fetcher.forget(jwks_uri)
            raise Refused(
                Code.INVALID_CLIENT_METADATA, f"The keys of this client cannot be used: {error}."
            ) from error


def _unproven(document: ClientDocument, assurance: Assurance, now: int) -> Client:
    """Return a client as it says it is; that the caller is this one, an assertion or signature has to prove."""
    agent = Agent(document.client_id, assurance, None, None, now, document.name)
    return Client(agent, document, None, None, NO_KEY)
