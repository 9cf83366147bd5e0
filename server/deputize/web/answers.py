"""How a value is answered."""

import msgspec
from starlette.responses import Response


def _plain(value: object) -> str:
    """Write a text that is more than that, such as what the catalogue of words has made."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that is answered")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def answer(value: object, status: int = 200) -> Response:
    """Answer JSON, or nothing for None."""
    if value is None:
        return Response(status_code=status)
    return Response(_encode(value), status, media_type="application/json")
