"""The site's OpenID provider, as its relying party: what is asked of it, and what its answers are worth (OPENID-1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ..crypto import provider_token
from ..crypto.provider_token import UnknownKey
from ..protocol import canonical
from ..protocol.canonical import Json, b64u, s256
from ..protocol.credential import RECENT_SIGN_IN
from ..protocol.errors import Refused
from ..protocol.login import Identity, OpenId
from ..protocol.openid import Ended, Metadata, ended_by, identity_of, name_in, read_metadata, refused
from . import client_secret
from .authority import Authority

_ROTATION = 10  # seconds after which a key that is not known may be a new one
_ASSERTION_LIFETIME = 60
_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, at one moment. `secret` are the random bytes of a state, which nobody else has: PKCE's verifier
    and the `nonce` are made of them."""

    authority: Authority
    openid: OpenId
    now: int

    @property
    def redirect_uri(self) -> str:
        """Return where the provider sends browsers back to."""
        return f"{self.authority.policy.site.issuer}/account/openid"

    async def authorization(self, state: str, secret: bytes, anew: bool) -> str:
        """Return where the browser goes to sign in (OpenID Connect Core §3.1.2.1); Refused(sign_in_failed)."""
        asked = {
            "response_type": "code",
            "client_id": self.openid.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": _nonce(secret),
            "code_challenge": s256(_verifier(secret).encode()),
            "code_challenge_method": "S256",
            **({"max_age": RECENT_SIGN_IN} if anew else {}),
        }
        endpoint = (await self.metadata()).authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def check_issuer(self, named: str | None) -> None:
        """Check that an answer is this provider's (RFC 9207 §2.4); Refused(sign_in_failed)."""
        needed = named is not None or (await self.metadata()).names_itself
        if needed and named != self.openid.where:
            raise refused("another provider has answered, or iss is not in the answer")

    async def identity(self, code: str, secret: bytes) -> Identity:
        """Redeem a code, and return who has signed in (OPENID-3); Refused(sign_in_failed)."""
        metadata = await self.metadata()
        authorization, proof = self._proof(metadata)
        tokens = await self._asked(
            metadata.token_endpoint,
            form={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": _verifier(secret),
                **proof,
            },
            authorization=authorization,
        )
        match tokens:
            case {"id_token": str(id_token), "access_token": str(access_token)}:
                claims = await self._claims(id_token, (None, "jwt"))
            case _:
                raise refused("its answer has no ID Token")
        openid = self.openid
        known = identity_of(claims, openid.where, openid.client_id, _nonce(secret), self.now)
        if not known.name and metadata.userinfo_endpoint is not None:
            told = await self._asked(metadata.userinfo_endpoint, authorization=f"Bearer {access_token}")
            if isinstance(told, dict) and told.get("sub") == claims["sub"]:  # OpenID Connect Core §5.3.2
                known = replace(known, name=name_in(told) or "")
        return known

    async def ended(self, token: str) -> Ended:
        """Verify a logout token (SIGNIN-7); Refused(sign_in_failed)."""
        claims = await self._claims(token, ("logout+jwt", None, "jwt"))
        ended = ended_by(claims, self.openid.where, self.openid.client_id, self.now)
        external_id = f"{self.openid.where} {ended.external_id}" if ended.external_id else None
        return replace(ended, external_id=external_id)

    async def metadata(self) -> Metadata:
        """Return its metadata, fetched if need be; Refused(sign_in_failed)."""
        where = f"{self.openid.where.removesuffix('/')}/.well-known/openid-configuration"
        document, authority = await self._got(where), self.authority
        try:
            return read_metadata(
                document, self.openid.where, authority.policy.development, self.openid.has_secret
            )
        except Refused:
            authority.fetcher.forget(where)  # once it is right, it is right at once
            raise

    async def _claims(self, token: str, types: tuple[str | None, ...]) -> dict[str, Json]:
        jwks_uri = (await self.metadata()).jwks_uri
        for since in (0, self.now - _ROTATION):
            match await self._got(jwks_uri, since):
                case {"keys": list(keys)}:
                    pass
                case _:
                    self.authority.fetcher.forget(jwks_uri)
                    raise refused("its keys are no JWK Set")
            try:
                return provider_token.verify(token, keys, types)
            except UnknownKey:
                continue
        raise refused("the token names none of its keys")

    def _proof(self, metadata: Metadata) -> tuple[str | None, dict[str, str]]:
        """Return how we prove who we are: an `Authorization`, or members of the form (OpenID Connect Core §9)."""
        client_id = self.openid.client_id
        if not self.openid.has_secret:
            assertion = {"client_assertion_type": _BEARER, "client_assertion": self._assertion()}
            return None, {"client_id": client_id, **assertion}
        secret = client_secret.read(self.openid)
        if metadata.basic:
            return client_secret.basic(client_id, secret), {}
        return None, {"client_id": client_id, "client_secret": secret}

    def _assertion(self) -> str:
        """Prove who we are, by the key that our `/jwks.json` has (RFC 7523 §3)."""
        client_id = self.openid.client_id
        claims = {"iss": client_id, "sub": client_id, "aud": self.openid.where, "iat": self.now}
        claims |= {"exp": self.now + _ASSERTION_LIFETIME, "jti": b64u(self.authority.random(16))}
        return self.authority.sign("JWT", claims)

    async def _got(self, url: str, since: int = 0) -> Json:
        try:
            return canonical.parse((await self.authority.fetcher.json(url, since)).body)
        except (Refused, ValueError) as error:
            self.authority.fetcher.forget(url)
            raise refused(f"{url} gave no JSON") from error

    async def _asked(
        self, url: str, form: Mapping[str, str] | None = None, authorization: str | None = None
    ) -> Json:
        try:
            return canonical.parse(await self.authority.fetcher.ask(url, form, authorization))
        except (Refused, ValueError) as error:
            raise refused(f"{url} said no, or gave no JSON") from error


def _verifier(secret: bytes) -> str:
    return b64u(secret)


def _nonce(secret: bytes) -> str:
    return s256(b"nonce" + secret)
