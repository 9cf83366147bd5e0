"""Canonical JSON in two languages: for any text, the same bytes or a refusal from both (JSON-1, JSON-2, RFC 8785)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.interop.strangers import PATIENCE, ROOT
from tests.protocol.test_canonical import in_range
from tests.size import tries

from deputize.protocol.canonical import Json, JsonError, canonicalize, parse

pytestmark = pytest.mark.anyio
REASONS = {"depth", "integer_range", "lone_surrogate", "non_finite", "not_json"}

# What means something to one of the two, or to the order of members.
words = st.sampled_from(
    ["", "a", "A", "10", "9", "__proto__", "toJSON", "constructor", "length", "\ufb33", "😀"]
)
literals = st.from_regex(r"\A-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?\Z")
edges = st.sampled_from(
    ["9007199254740991", "9007199254740991.5", "1e20", "999999999999999999999", "1e21", "1e-6", "1e-7"]
)
numbers = edges | st.integers(-(2**64), 2**64).map(str) | st.floats().map(repr) | literals
unpaired = st.text(st.characters(exclude_categories=()), max_size=8)
strings = (words | st.text(max_size=8) | unpaired).map(json.dumps) | st.text(max_size=8).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
spaces = st.sampled_from(["", "", "", " ", "\n\t", "\r"])
scalars = st.sampled_from(["null", "true", "false"]) | numbers | strings


def listed(items: list[str], space: str) -> str:
    return f"[{space}{f'{space},'.join(items)}{space}]"


def keyed(items: list[tuple[str, str]], space: str) -> str:
    return "{" + f",{space}".join(f"{space}{key}{space}:{value}" for key, value in items) + space + "}"


documents = st.recursive(
    scalars,
    lambda inner: (
        st.builds(listed, st.lists(inner, max_size=5), spaces)
        | st.builds(keyed, st.lists(st.tuples(strings, inner), max_size=5), spaces)
    ),
    max_leaves=16,
).map(str.encode)
fragments = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"',
            b'"a"',
            b'{"a":',
            b"\\",
            b"\\ud83d",
            b"\\ude00",
            b"\\u0000",
        ),
        *(
            b"0",
            b"-",
            b"1",
            b"9",
            b".",
            b"e",
            b"+",
            b"E-",
            b"1e400",
            b"9007199254740992",
            b"NaN",
            b"-Infinity",
        ),
        *(
            b"null",
            b"true",
            b"nul",
            b" ",
            b"\n",
            b"\x00",
            b"\x1f",
            b"\x7f",
            b"\xc2\xa0",
            b"\xe2\x80\xa8",
            b"//",
        ),
        *(
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xf0\x9f\x98\x80",
            b"\xf4\x90\x80\x80",
        ),
    ]
)
soup = st.lists(fragments, max_size=12).map(b"".join)
plain: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(in_range)
    | words
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words | st.text(), inner, max_size=5),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Spoil a good text at a few places."""
    text = bytearray(draw(documents))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | fragments)
    return bytes(text)


class Script:
    """`js/interop/canonical.js`, as a process to ask."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def canonical(self, text: bytes) -> bytes | None:
        """Return the canonical form that JavaScript makes of a text, None if it refuses."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(text.hex().encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        assert line.endswith(b"\n"), "it has ended"
        answer = line.decode().strip()
        return None if answer in REASONS else bytes.fromhex(answer)


@asynccontextmanager
async def started() -> AsyncIterator[Script]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "node", "interop/canonical.js", cwd=ROOT / "js", stdin=pipe, stdout=pipe, limit=2**20
    )
    try:
        yield Script(process)
        await asyncio.wait_for(process.communicate(b""), PATIENCE)
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with started() as running:
        yield running


def canonical(text: bytes) -> tuple[bytes | None, str | None]:
    """Return the canonical form that Python makes of a text, or None and why not."""
    try:
        return canonicalize(parse(text)), None
    except JsonError as error:
        return None, error.reason


many = settings(max_examples=tries(300, 1_500), suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(plain)
async def test_values_have_the_same_bytes(script: Script, value: Json) -> None:
    ours = canonicalize(value)
    assert await script.canonical(ours) == ours
    for spelled in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert await script.canonical(spelled.encode()) == ours


@many
@given(documents | soup | damaged())
@example(b"9007199254740992.5")
@example(b"-0")
@example(b"9" * 400)
@example(b"[" * 64 + b"]" * 64)
@example(b"[" * 65 + b"]" * 65)
@example(b"[" * 9_000 + b"]" * 9_000)
async def test_texts_have_the_same_bytes_or_are_refused_by_both(script: Script, text: bytes) -> None:
    theirs = await script.canonical(text)
    ours, reason = canonical(text)
    # No script can see a member twice: it is refused where the text arrives.
    assert theirs == ours or reason == "duplicate_member", reason
