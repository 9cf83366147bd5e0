"""The tokens that an agent holds for one user, and where it keeps them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, Self

import orjson

from ..private import replace_private
from ..protocol.canonical import Json
from .errors import Unexpected


@dataclass(frozen=True, slots=True)
class Tokens:
    """A delegation of one user, for the scopes in `scope` within the limits in `authorization_details` (CONS-1).

    `expires_at` is when the delegation token expires, in seconds by the authority's clock; the grant lives longer.
    """

    issuer: str
    client_id: str
    user_id: str
    grant_id: str
    scope: str
    expires_at: int
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False, default=None)
    authorization_details: list[Json] = field(default_factory=list)

    @classmethod
    def of(cls, answer: Mapping[str, Json], issuer: str, client_id: str, now: int) -> Self:
        """Read a token response (RFC 6749 §5.1, RFC 9449 §5); Unexpected if its token is not DPoP-bound."""
        match answer:
            case {
                "access_token": str(access_token),
                "token_type": str(token_type),
                "expires_in": int(expires_in),
                "scope": str(scope),
            } if token_type.lower() == "dpop":
                pass
            case _:
                raise Unexpected("The authority did not answer with a DPoP-bound token.")
        refresh_token, details = answer.get("refresh_token"), answer.get("authorization_details")
        return cls(
            issuer,
            client_id,
            str(answer.get("sub", "")),
            str(answer.get("grant_id", "")),
            scope,
            now + expires_in,
            access_token,
            refresh_token if isinstance(refresh_token, str) else None,
            details if isinstance(details, list) else [],
        )


class TokenStore(Protocol):
    """Keeps an agent's tokens between runs. Refresh tokens rotate, so only what was written last is good."""

    def read(self) -> Tokens | None:
        """Return what was written last, or None."""

    def write(self, tokens: Tokens | None) -> None:
        """Keep these and nothing else; None is nothing at all."""


class TokenFile:
    """Keeps tokens in a file that only its owner can read. One process at a time may use it."""

    def __init__(self, path: Path | str) -> None:
        """Use the file at `path`, which is made when there is something to keep."""
        self._path = Path(path)

    def read(self) -> Tokens | None:
        """Return what is there, None if there is no file; ValueError if it holds anything else."""
        try:
            return Tokens(**orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise ValueError(f"{self._path} does not hold the tokens of an agent") from None

    def write(self, tokens: Tokens | None) -> None:
        """Keep these, with mode 0600; None removes the file."""
        if tokens is None:
            self._path.unlink(missing_ok=True)
        else:
            replace_private(self._path, orjson.dumps(asdict(tokens), option=orjson.OPT_INDENT_2) + b"\n")
