"""Bodies are read strictly, and what is wrong with one is said in our own words (JSON-1 to JSON-3)."""

from typing import Annotated, Any, Literal

import orjson
import pytest
from msgspec import UNSET, Meta, UnsetType

from deputize.protocol.errors import Code, Refused
from deputize.web.bodies import read
from deputize.web.types import CallRequest, Closed


class Sample(Closed, rename={"named": "itsName"}):
    text: str
    named: str | UnsetType = UNSET
    positive: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    some: Annotated[int, Meta(ge=60, le=90)] | UnsetType = UNSET
    one: Literal["a"] | UnsetType = UNSET
    either: Literal["a", "b", "c"] | UnsetType = UNSET
    given: dict[str, Any] | UnsetType = UNSET


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"text": 1}, "Member 'text' has the wrong type."),
        ({"text": None}, "Member 'text' has the wrong type."),
        ({"named": "x"}, "Unknown member: 'named'."),
        ({"itsName": []}, "Member 'itsName' has the wrong type."),
        ({"x" * 99: 1}, f"Unknown member: {'x' * 64!r}."),
        ({"positive": True}, "Member 'positive' has the wrong type."),
        ({"positive": "1"}, "Member 'positive' has the wrong type."),
        ({"positive": 1.5}, "Member 'positive' has the wrong type."),
        ({"positive": None}, "Member 'positive' has the wrong type."),
        ({"positive": 0}, "`positive` is at least 1."),
        ({"positive": -2.0}, "`positive` is at least 1."),
        ({"some": 91}, "`some` is from 60 to 90."),
        ({"one": "b"}, "`one` is `a`."),
        ({"either": "d"}, "`either` is `a`, `b` or `c`."),
        ({"either": 1}, "Member 'either' has the wrong type."),
        ({"given": []}, "Member 'given' has the wrong type."),
    ],
)
def test_what_is_wrong_is_said(more: dict[str, object], said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(orjson.dumps({"text": "", **more}), Sample)
    assert (refused.value.refusal.code, refused.value.refusal.detail) == (Code.INVALID_REQUEST, said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "The body is a JSON object."),
        (b'"x"', "The body is a JSON object."),
        (b"{}", "Member 'text' is missing."),
        (b'{"text": "", "text": ""}', "The body is not strict JSON: duplicate."),
    ],
)
def test_what_is_no_object_of_its_type_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(body, Sample)
    assert refused.value.refusal.detail.startswith(said[:27])


def test_1_0_is_1() -> None:
    sample = read(b'{"text": "", "positive": 1.0}', Sample)
    assert (sample.positive, type(sample.positive)) == (1, int)


def test_arguments_stay_what_they_were() -> None:
    """HASH-1: no default, no coercion, no normalization; also where another member was mended."""
    arguments = b'{"a": [1.0, {"b": 12345678901234.5}], "c": null}'
    sample = read(b'{"text": "", "some": 60.0, "given": %s}' % arguments, Sample)
    call = read(b'{"tool": "t", "arguments": %s, "definition_s256": "x"}' % arguments, CallRequest)
    for given in (sample.given, call.arguments):
        assert repr(given) == repr({"a": [1.0, {"b": 12345678901234.5}], "c": None})
