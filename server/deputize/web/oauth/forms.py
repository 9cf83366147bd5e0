"""The forms that the OAuth endpoints take, for the document: what is in them is read one by one (`parameters.py`).

What a form has besides is ignored (RFC 6749 §3.2).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Struct, UnsetType

from ...crypto.client_assertion import ASSERTION_TYPE
from ...protocol.client import DEVICE_CODE, TOKEN_EXCHANGE
from ...protocol.constraint import MAX_DETAILS
from ..types import REF, Hash, Jwt, Scope, Uri, Word, said
from .exchange import JWT_TYPE
from .issuing import ACCESS_TOKEN

Maybe = UnsetType
Targets = list[Uri]  # one parameter for each (RFC 8707 §2)
Details = Annotated[
    str,
    said(
        contentMediaType="application/json",
        contentSchema={
            "type": "array",
            "maxItems": MAX_DETAILS,
            "items": {"$ref": REF.format(name="AuthorizationDetail")},
        },
    ),
]


class ClientForm(Struct, kw_only=True):
    """What every client says of itself; without an assertion the request is signed (OAUTH-14)."""

    client_id: str | Maybe = UNSET
    client_assertion_type: Annotated[str, said(enum=[ASSERTION_TYPE])] | Maybe = UNSET
    client_assertion: Jwt | Maybe = UNSET


class DeviceRequest(ClientForm, kw_only=True):
    """What an agent on a device asks for (OAUTH-7)."""

    scope: Scope
    authorization_details: Details | Maybe = UNSET
    dpop_jkt: Hash | Maybe = UNSET
    resource: Targets | Maybe = UNSET


class PushedRequest(DeviceRequest, kw_only=True):
    """An authorization request (OAUTH-3)."""

    response_type: Literal["code"]
    redirect_uri: Uri
    code_challenge: Hash
    code_challenge_method: Literal["S256"]
    state: str | Maybe = UNSET
    response_mode: Literal["query"] | Maybe = UNSET


class TokenForm(ClientForm, kw_only=True):
    """What every request for tokens may have."""

    resource: Targets | Maybe = UNSET


class ByCode(TokenForm, kw_only=True):
    """A code is exchanged (OAUTH-5)."""

    grant_type: Literal["authorization_code"]
    code: Word
    redirect_uri: Uri
    code_verifier: Word


class ByRefreshToken(TokenForm, kw_only=True):
    """A delegation is renewed (GRANT-6)."""

    grant_type: Literal["refresh_token"]
    refresh_token: Word
    scope: Scope | Maybe = UNSET


class ByDeviceCode(TokenForm, kw_only=True):
    """A device asks whether its user has answered (OAUTH-7)."""

    grant_type: Annotated[str, said(enum=[DEVICE_CODE])]
    device_code: Word


class ExchangeForm(TokenForm, kw_only=True):
    """What both halves of a token exchange have (RFC 8693)."""

    grant_type: Annotated[str, said(enum=[TOKEN_EXCHANGE])]
    subject_token: Jwt
    scope: Scope | Maybe = UNSET
    authorization_details: Details | Maybe = UNSET
    audience: Targets | Maybe = UNSET


class HandOn(ExchangeForm, kw_only=True):
    """A part of a delegation is handed on (CHAIN-1)."""

    subject_token_type: Annotated[str, said(enum=[ACCESS_TOKEN])]
    requested_token_type: Annotated[str, said(enum=[JWT_TYPE])] | Maybe = UNSET
    requested_actor: Word
    dpop_jkt: Hash


class TakeOver(ExchangeForm, kw_only=True):
    """What was handed on is taken over (CHAIN-2)."""

    subject_token_type: Annotated[str, said(enum=[JWT_TYPE])]
    requested_token_type: Annotated[str, said(enum=[ACCESS_TOKEN])] | Maybe = UNSET


class TokenQuestion(ClientForm, kw_only=True):
    """A token that something is asked about, or that is given back (OAUTH-8, OAUTH-9)."""

    token: Word
    token_type_hint: str | Maybe = UNSET
