"""Asking a site for its record, as somebody who does not trust it (LOG-7, LOG-8)."""

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from deputize.crypto import dpop
from deputize.protocol.canonical import parse
from deputize.protocol.shown import quoted
from deputize.protocol.tiles import WIDTH
from deputize.service.following import NoTile

if TYPE_CHECKING:
    import httpx2
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PATIENCE = 30
"""Seconds that the site has for one answer."""
_MOST = 64 * 1024  # bytes of a checkpoint, or of a tile
_MOST_ENTRIES = WIDTH * (2 + 65_535)  # LOG-8
_MOST_WORDS = 500  # characters of what a site says of itself


class Served:
    """What a site serves below `/log/`."""

    def __init__(self, http: "httpx2.Client", issuer: str, key: "EllipticCurvePrivateKey | None") -> None:
        """Ask this issuer, with the key of a reader for entries."""
        self._http, self._issuer, self._key = http, issuer, key

    def get(self, path: str) -> bytes:
        """Return what it answers; NoTile for what is no answer or takes too long, httpx2.HTTPError."""
        url, headers = f"{self._issuer}/log/{path}", {}
        if path == "checkpoint":
            headers["Connection"] = "close"  # the next one may be another node's
        if path.startswith("tile/entries/") and self._key is not None:
            headers["Deputize-Reader"] = dpop.make(self._key, "GET", url, int(time.time()))
        most = _MOST_ENTRIES if path.startswith("tile/entries/") else _MOST
        until = time.monotonic() + PATIENCE
        with self._http.stream("GET", url, headers=headers) as answer:
            data = bytearray()
            for part in answer.iter_bytes():  # whoever is watched may want that nobody watches
                data += part
                if len(data) > most:
                    raise NoTile(f"{path} is too long")
                if time.monotonic() > until:
                    raise NoTile(f"{path} takes too long")
        if answer.status_code != HTTPStatus.OK:
            raise NoTile(f"{path} is answered with {answer.status_code}{_detail(bytes(data))}")
        return bytes(data)

    def tile(self, path: str) -> bytes:
        """Return a tile by its path below `log/tile/`; NoTile."""
        import httpx2

        try:
            return self.get(f"tile/{path}")
        except httpx2.HTTPError as error:
            raise NoTile(why(error)) from error


def why(error: Exception) -> str:
    """Say what is wrong with a connection."""
    return str(error) or type(error).__name__  # a broken one has no words of its own


def _detail(problem: bytes) -> str:
    """Quote what a site says of what is wrong with it, if it says anything (ERR-1)."""
    try:
        said = parse(problem)
    except ValueError:
        return ""
    detail = said.get("detail") if isinstance(said, dict) else None
    return f": {quoted(detail[:_MOST_WORDS])}" if isinstance(detail, str) else ""
