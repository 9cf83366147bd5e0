"""Canonical JSON: strictness (JSON-1, JSON-2), RFC 8785, and the hashes over it (HASH-1, HASH-2)."""

import hashlib
import json
import struct
from collections.abc import Iterator
from enum import IntEnum, StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st
from tests.size import tries

from deputize.protocol.canonical import (
    MAX_DEPTH,
    Json,
    JsonError,
    action_hash,
    args_s256,
    b64u,
    canonicalize,
    check,
    parse,
    unb64u,
)

VECTORS = Path(__file__).parents[1] / "vectors"
CANONICAL = json.loads((VECTORS / "canonical.json").read_text())
JCS = VECTORS / "jcs"


def named(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


class Word(StrEnum):
    YES = "yes"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Members(dict[str, Json]):
    pass


def in_range(number: float) -> bool:
    return not 2**53 <= abs(number) < 1e21


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(in_range)
    | st.decimals(-10_000, 10_000, places=2).map(float)
    | st.text()
)
values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
unpaired = st.text(st.characters(exclude_categories=()))
odd = unpaired | st.text().map(Text) | st.integers() | st.floats() | st.binary() | st.uuids()
anything = st.recursive(
    scalars | odd | st.dates() | st.tuples(scalars) | st.sampled_from([Word.YES, Number.ONE]),
    lambda inner: st.lists(inner) | st.dictionaries(scalars | odd, inner, dict_class=Members),
)


class TestParse:
    @named(CANONICAL["accepted"])
    def test_accepts_what_is_json(self, case: dict[str, str]) -> None:
        assert canonicalize(parse(case["text"].encode())) == case["canonical"].encode()

    @named(CANONICAL["refused_values"])
    def test_refuses_values_without_a_canonical_form(self, case: dict[str, str]) -> None:
        """JSON-1, JSON-2: what a parser takes and a canonical form must not have."""
        with pytest.raises(JsonError) as refusal:
            parse(case["text"].encode())
        assert refusal.value.reason == case["reason"]

    @named(CANONICAL["refused_texts"])
    def test_refuses_bytes_that_are_not_strict_json(self, case: dict[str, str]) -> None:
        """JSON-1: what can be seen only in the bytes."""
        with pytest.raises(JsonError) as refusal:
            parse(bytes.fromhex(case["hex"]))
        assert refusal.value.reason == case["reason"]

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
    @pytest.mark.parametrize("times", [MAX_DEPTH + 1, 300, 1_100, 200_000])
    def test_depth_is_never_a_recursion_error(self, opening: bytes, times: int) -> None:
        with pytest.raises(JsonError) as refusal:
            parse(opening * times)
        assert refusal.value.reason in {"depth", "not_json"}

    def test_depth_is_that_of_the_whole_document(self) -> None:
        for times in (MAX_DEPTH + 1, 250, 900, 100_000):
            with pytest.raises(JsonError) as refusal:
                parse(b"[" * times + b"]" * times)
            assert refusal.value.reason == "depth"

    @pytest.mark.parametrize("text", [b"[9007199254740991,-9007199254740991]", b"[ 9007199254740991, -0 ]"])
    def test_integers_stay_integers(self, text: bytes) -> None:
        numbers = parse(text)
        assert isinstance(numbers, list)
        assert [type(number) for number in numbers] == [int, int]

    @given(values, st.booleans(), st.sampled_from([None, (",", ":"), (" ,\n", " :\t")]))
    def test_every_spelling_reads_alike(
        self, value: Json, ensure_ascii: bool, separators: tuple[str, str] | None
    ) -> None:
        text = json.dumps(value, ensure_ascii=ensure_ascii, separators=separators)
        assert parse(text.encode()) == value

    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_value_or_a_json_error(self, data: bytes) -> None:
        self.take_or_refuse(data)

    @given(values, st.data())
    def test_any_damage_is_a_value_or_a_json_error(self, value: Json, data: st.DataObject) -> None:
        text = bytearray(canonicalize(value))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        self.take_or_refuse(bytes(text))

    def take_or_refuse(self, data: bytes) -> None:
        try:
            value = parse(data)
        except JsonError:
            return
        assert parse(canonicalize(value)) == value
        assert value == json.loads(data.decode(), parse_int=float)

    @given(st.dictionaries(st.text(), scalars, min_size=1), st.data())
    def test_a_member_twice_is_refused_wherever_it_stands(
        self, members: dict[str, Json], data: st.DataObject
    ) -> None:
        pairs = [*members.items()]
        again = (data.draw(st.sampled_from(pairs))[0], data.draw(scalars))
        pairs.insert(data.draw(st.integers(0, len(pairs))), again)
        text = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs) + "}"
        for document in (text, f"[{text}]", f'{{"a":{text}}}'):
            with pytest.raises(JsonError, match="duplicate_member"):
                parse(document.encode())


class TestCheck:
    @given(values)
    def test_what_json_can_say_is_taken(self, value: Json) -> None:
        check(value)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (2**53, "integer_range"),
            (-(2**53), "integer_range"),
            (10**30, "integer_range"),
            (float(2**53), "integer_range"),
            (1e20, "integer_range"),
            (float("nan"), "non_finite"),
            ([float("inf")], "non_finite"),
            ({"a": float("-inf")}, "non_finite"),
            ("\ud800", "lone_surrogate"),
            ({"\udc00": 1}, "lone_surrogate"),
            ({1: 2}, "not_json"),
            ({None: 2}, "not_json"),
            ((1, 2), "not_json"),
            ({1, 2}, "not_json"),
            (b"a", "not_json"),
            (1j, "not_json"),
            ([object()], "not_json"),
        ],
    )
    def test_refuses_what_json_cannot_say(self, value: Json, reason: str) -> None:
        for refuse in (check, canonicalize, args_s256):
            with pytest.raises(JsonError) as refusal:
                refuse(value)
            assert refusal.value.reason == reason

    def test_takes_64_levels_and_no_more(self) -> None:
        deep: Json = 1
        for _ in range(MAX_DEPTH // 2):
            deep = {"a": [deep]}
        check(deep)
        for too_deep in ([deep], {"a": deep}):
            with pytest.raises(JsonError, match="depth"):
                check(too_deep)

    def test_a_value_that_holds_itself_is_too_deep(self) -> None:
        endless: list[Json] = []
        endless += [endless, endless]
        with pytest.raises(JsonError, match="depth"):
            check(endless)

    def test_takes_integers_that_every_reader_has_exactly(self) -> None:
        check([2**53 - 1, -(2**53) + 1, float(2**53 - 1), 1e21, -1e21])

    @given(anything)
    def test_what_it_takes_has_a_canonical_form(self, value: Any) -> None:
        try:
            check(value)
        except JsonError:
            return
        assert canonicalize(value) == rfc8785.dumps(value)


class TestCanonicalize:
    @given(values)
    @example({"b": 1, "a": [0.1, -1.5, 1e-4, 999_999_999_999_999.9]})
    def test_is_what_rfc8785_writes(self, value: Json) -> None:
        assert canonicalize(value) == rfc8785.dumps(value)

    @given(st.dictionaries(st.text(st.characters(max_codepoint=127)), scalars))
    def test_is_what_rfc8785_writes_for_ascii_keys(self, value: dict[str, Json]) -> None:
        assert canonicalize(value) == rfc8785.dumps(value)

    @given(st.floats(allow_nan=False, allow_infinity=False).filter(in_range))
    @example(1e-4)
    @example(9.999999999999999e-05)
    @example(1e-6)
    @example(9.999999999999999e-07)
    @example(999_999_999_999_999.9)
    @example(1e15)
    @example(4_503_599_627_370_495.5)
    def test_is_what_rfc8785_writes_for_numbers(self, number: float) -> None:
        assert canonicalize([number, -number]) == rfc8785.dumps([number, -number])

    def test_is_what_rfc8785_writes_for_every_character(self) -> None:
        text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
        assert canonicalize([text]) == rfc8785.dumps([text])
        ascii_keys: Json = {chr(code): code for code in range(128)}
        assert canonicalize(ascii_keys) == rfc8785.dumps(ascii_keys)

    @given(values)
    def test_reads_back_and_stays_as_it_is(self, value: Json) -> None:
        text = canonicalize(value)
        assert parse(text) == value
        assert canonicalize(parse(text)) == text

    def test_does_not_change_the_value(self) -> None:
        value: Json = {"b": [{"d": 1, "c": 2}], "a": 3}
        canonicalize(value)
        assert json.dumps(value) == '{"b": [{"d": 1, "c": 2}], "a": 3}'

    def test_subclasses_count_as_their_base(self) -> None:
        value: Json = Members({Word.YES: [Word.YES, Number.ONE], Text("no"): Text("a")})
        assert canonicalize(value) == b'{"no":"a","yes":["yes",1]}'

    @pytest.mark.parametrize("name", sorted(path.stem for path in (JCS / "input").iterdir()))
    def test_published_documents_have_their_bytes(self, name: str) -> None:
        canonical = canonicalize(parse((JCS / "input" / f"{name}.json").read_bytes()))
        assert canonical == (JCS / "output" / f"{name}.json").read_bytes()
        assert canonical == bytes.fromhex((JCS / "outhex" / f"{name}.txt").read_text())
        assert parse(canonical) == parse((JCS / "input" / f"{name}.json").read_bytes())

    def test_published_numbers_have_their_bytes(self) -> None:
        """The first numbers, a million of them; those that JSON-2 refuses are written by rfc8785 alone."""
        numbers = tries(100_000, 1_000_000)
        published = json.loads((JCS / "numbers.json").read_text())
        lines = hashlib.sha256()
        for bits in islice(self.published_bits(published["static"]), numbers):
            number: float = struct.unpack(">d", bits)[0]
            text = canonicalize(number) if in_range(number) else rfc8785.dumps(number)
            lines.update(b"%x,%s\n" % (int.from_bytes(bits, "big"), text))
        assert lines.hexdigest() == published["sha256"][str(numbers)]

    def published_bits(self, static: list[str]) -> Iterator[bytes]:
        yield from map(bytes.fromhex, static)
        yield from (struct.pack(">Q", 0x0010_0000_0000_0000 + i) for i in range(2_000))
        block = bytes(32)
        while True:
            block = hashlib.sha256(block).digest()
            for number in struct.unpack("<4d", block):
                if number != 0 and abs(number) < float("inf"):
                    yield struct.pack(">d", number)


class TestBase64url:
    @pytest.mark.parametrize("case", CANONICAL["base64url"]["accepted"])
    def test_accepts_the_one_spelling(self, case: dict[str, str]) -> None:
        assert b64u(bytes.fromhex(case["hex"])) == case["text"]
        assert unb64u(case["text"]) == bytes.fromhex(case["hex"])

    @pytest.mark.parametrize("text", CANONICAL["base64url"]["refused"])
    def test_refuses_any_other_spelling(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            unb64u(text)

    @given(st.binary())
    def test_is_read_back_as_it_was(self, data: bytes) -> None:
        assert unb64u(b64u(data)) == data

    @given(st.text())
    def test_has_one_spelling(self, text: str) -> None:
        try:
            data = unb64u(text)
        except ValueError:
            return
        assert b64u(data) == text


class TestHashes:
    @named(CANONICAL["accepted"])
    def test_args_s256_is_over_the_canonical_form(self, case: dict[str, str]) -> None:
        """HASH-1."""
        assert args_s256(parse(case["text"].encode())) == case["s256"]

    @named(CANONICAL["action_hash"]["accepted"])
    def test_action_hash_is_that_of_the_proposal(self, case: dict[str, Any]) -> None:
        """HASH-2, with the check vector of SEP-2672."""
        assert action_hash(case["tool"], case["args"], case["server_id"]).hex() == case["hex"]

    @named(CANONICAL["action_hash"]["refused"])
    def test_action_hash_refuses_ambiguous_names(self, case: dict[str, Any]) -> None:
        """HASH-2: nothing may look like a separator."""
        with pytest.raises(ValueError, match=r"tool name|server id"):
            action_hash(case["tool"], {}, case["server_id"])

    def test_action_hash_refuses_what_is_not_json(self) -> None:
        with pytest.raises(JsonError):
            action_hash("a", {"a": float("nan")}, "https://site.example")
