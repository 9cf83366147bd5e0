"""LOG-7: what a site may serve to whoever follows it, that has its own key and no scruples."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typer.testing import CliRunner

from deputize.cli import app
from deputize.crypto.note import Verifier, sign
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import EMPTY_ROOT, leaf_hash, root
from deputize.testing.server import Site

NAME = "bank.example/deputize"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
VKEY = Verifier(NAME, KEY.public_key()).vkey()
LEAVES = [leaf_hash(bytes([n])) for n in range(20)]
TILE = b"".join(LEAVES)


def note(size: int, of: bytes | None = None, origin: str = NAME, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign(Checkpoint(origin, size, of or root(LEAVES[:size])).body(), NAME, key).encode()


Served = tuple[int, bytes]
"""The status and the body of an answer."""


@dataclass
class Liar:
    """Serves what it likes."""

    url: str = ""
    served: dict[str, Served] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/log/")
        if path.startswith("tile/0/000.p/") and path not in self.served:
            return Response(TILE[: int(path.rpartition("/")[2]) * 32])
        status, body = self.served.get(path, (200, b""))
        return Response(body, status)


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    liar = Liar()
    with Site(lambda _: Starlette(routes=[Route("/{path:path}", liar.answer)])) as site:
        liar.url = site.url
        yield liar


def look(liar: Liar, keep: Path, **served: bytes | Served) -> tuple[int, str]:
    bodies = {name.replace("_", "/"): body for name, body in served.items()}
    liar.served = {path: (200, body) if isinstance(body, bytes) else body for path, body in bodies.items()}
    command = ["log", "follow", liar.url, "--key", VKEY, "--keep", str(keep), "--once"]
    result = CliRunner().invoke(app, command)
    assert result.stdout.count("\n") + result.stderr.count("\n") == 1
    return result.exit_code, result.stdout + result.stderr


OTHERS = Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("served", "code", "told"),
    [
        ({"checkpoint": note(9, origin="shop.example")}, 2, "its checkpoint is of another record"),
        ({"checkpoint": note(9, key=OTHERS)}, 2, "its checkpoint is not signed by this key"),
        (
            {"checkpoint": note(9).replace(b"\n9\n", b"\n8\n")},
            2,
            "a signature that is not by this key, or of another",
        ),
        ({"checkpoint": b"\xff"}, 2, "what it serves is no checkpoint"),
        ({"checkpoint": sign("words\n", NAME, KEY).encode()}, 2, "what it serves is no checkpoint"),
        ({"checkpoint": (302, b"")}, 2, "checkpoint is answered with 302"),
        (
            {"checkpoint": note(9), "handovers": b"?"},
            2,
            "the hand-overs of its key do not follow one another",
        ),
        (
            {"checkpoint": note(10**18, LEAVES[0])},
            1,
            "tile 0/000 is of 0 bytes, not 8192",
        ),
        ({"checkpoint": note(10), "tile_0_000.p_10": (404, b"")}, 2, "tile/0/000.p/10 is answered with 404"),
        ({"checkpoint": note(10), "tile_0_000.p_10": TILE}, 1, "tile 0/000.p/10 is of 640 bytes, not 320"),
        (
            {"checkpoint": note(10, root(LEAVES[:9]))},
            1,
            "its tiles are not those of its checkpoint of 10 entries",
        ),
        (
            {"checkpoint": note(8, root(LEAVES[:9]))},
            1,
            "its tiles are not those of its checkpoint of 8 entries",
        ),
        (
            {"checkpoint": note(9, LEAVES[0]), "tile_0_000.p_9": (404, b"")},
            1,
            "its checkpoint of 9 entries is over others",
        ),
        ({"checkpoint": note(5)}, 1, "it had 9 entries, and now has the first 5 of them"),
        ({"checkpoint": note(0, EMPTY_ROOT)}, 1, "it had 9 entries, and now has the first 0 of them"),
        ({"checkpoint": note(0, LEAVES[0])}, 1, "its tiles are not those of its checkpoint of 0 entries"),
    ],
)
def test_it_is_told_and_what_was_seen_is_kept(
    liar: Liar, tmp_path: Path, served: dict[str, bytes | Served], code: int, told: str
) -> None:
    assert look(liar, tmp_path, checkpoint=note(9))[0] == 0
    found, said = look(liar, tmp_path, **served)
    assert (found, told in said) == (code, True), said
    assert (tmp_path / "checkpoint").read_bytes() == note(9)
    assert (tmp_path / "leaves").read_bytes() == TILE[: 9 * 32]
    assert look(liar, tmp_path, checkpoint=note(12))[0] == 0


def test_what_is_wrong_at_first_sight_is_not_said_to_differ_from_what_was_seen(
    liar: Liar, tmp_path: Path
) -> None:
    code, said = look(liar, tmp_path, checkpoint=note(9, LEAVES[0]))
    assert (code, f"the record of {NAME} cannot be right: its tiles are not those of its" in said) == (
        1,
        True,
    )
    assert not (tmp_path / "checkpoint").exists()


def test_what_a_site_says_of_itself_is_quoted_and_moves_no_line(liar: Liar, tmp_path: Path) -> None:
    words = "It is well.” deputize: 9 entries\n\x1b[2J"
    code, said = look(liar, tmp_path, checkpoint=(503, json.dumps({"detail": words}).encode()))
    assert code == 2
    assert said.endswith(
        'checkpoint is answered with 503: "It is well.\\u201d deputize: 9 entries\\n\\u001b[2J"\n'
    )
    assert look(liar, tmp_path, checkpoint=(503, b"[1]"))[1].endswith("checkpoint is answered with 503\n")
    assert len(look(liar, tmp_path, checkpoint=(503, b'{"detail": "%s"}' % (b"x" * 9000)))[1]) < 700
