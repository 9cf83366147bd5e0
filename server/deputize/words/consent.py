"""A consent as its user reads it: lines made of what is signed, and of nothing else (GRANT-2, OAUTH-4, BEARER-6)."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from ..protocol.asker import Proof, shown_as
from ..protocol.canonical import Json, canonicalize, parse
from ..protocol.question import Text
from ..protocol.url import origin_of
from .asker import asker_line
from .catalogue import Worded, Words, words
from .limits import limits, tool_name

_ADDED = ("language", "text_s256")


def put(structure: Mapping[str, Json], language: str) -> dict[str, Json]:
    """Add to what a consent is about its language and the digest of its text: all this is signed."""
    worded = words(language)
    return {**structure, "language": worded.language, "text_s256": _text(structure, worded).s256}


def text_of(shown: Mapping[str, Json]) -> Text | None:
    """Make the text of what `put` has made; None if the catalogue has changed, so that it would be another, or if an
    older version made it, without a text."""
    if "text_s256" not in shown:
        return None
    text = _text(shown, words(str(shown["language"])))
    return text if (text.language, text.s256) == (shown["language"], shown["text_s256"]) else None


def _text(shown: Mapping[str, Json], words: Words) -> Text:
    structure = {name: value for name, value in shown.items() if name not in _ADDED}
    return _made(canonicalize(structure), words)


@lru_cache(maxsize=64)  # a consent is put when it is asked for, and again at each step of it
def _made(structure: bytes, words: Words) -> Text:
    """Make the text of a structure, given as canonical JSON."""
    parts, lines = zip(*_lines(cast("Mapping[str, Any]", parse(structure)), words), strict=True)
    return Text(words.language, lines, parts)


def _lines(shown: Mapping[str, Any], words: Words) -> Iterator[tuple[str, Worded]]:
    yield from _asker(shown, words)
    yield "heading", words("consent-scopes", site=shown["site"])
    for scope in shown["scopes"]:
        yield "scope", tool_name(words, scope["title"], scope["scope"])
        yield from _new(scope, words)
    changed = [each for each in shown.get("definitions", ()) if "changed" in each]
    if changed:  # GRANT-8
        yield "warning", words("consent-changed", site=shown["site"])
        for each in changed:
            yield "tool", tool_name(words, each["title"], each["tool"])
    if "constraints" in shown:
        yield "heading", words("consent-limits")
        for each in shown["constraints"]:
            yield "tool", tool_name(words, each["title"], each["tool"])
            for limit, line in zip(each["limits"], limits(words, each["limits"]), strict=False):
                yield "limit", line
                yield from _new(limit, words)
        yield "remark", words("consent-limits-remark")
    if "gone" in shown:
        yield "warning", words("consent-limits-gone")
        for each in shown["gone"]:
            yield "tool", tool_name(words, each["title"], each["tool"])
            for line in limits(words, each["limits"]):
                yield "limit", line
    yield "heading", words("consent-duration", duration=words.duration(shown["expires_in"]))
    yield "remark", words("consent-duration-remark")


def _new(told: Mapping[str, Any], words: Words) -> Iterator[tuple[str, Worded]]:
    """Mark what this consent has and the one before had not."""
    if "new" in told:
        yield "new", words("consent-new")


def _asker(shown: Mapping[str, Any], words: Words) -> Iterator[tuple[str, Worded]]:
    """Say who asks: what is proven first, then what is claimed (OAUTH-4)."""
    asker, site = shown_as(shown), shown["site"]
    taken = (
        {"host": origin_of(asker.client_id).removeprefix("https://")} if asker.proof is Proof.ORIGIN else {}
    )
    taken |= {"site": site} if asker.proof is Proof.REGISTERED else {}
    yield "title", words(f"consent-title-{asker.proof}", **taken)
    yield from asker_line(words, asker, site)
    match asker.proof:
        case Proof.BROWSER:
            yield "remark", words("consent-what-browser", site=site)
            return
        case Proof.UNPROVEN:
            yield "warning", words("consent-warning-unproven")
        case Proof.ORIGIN:
            yield "remark", words("consent-what-origin", site=site)
        case _:
            yield "remark", words("consent-what-registered", site=site)
    yield "remark", words("consent-id", client_id=asker.client_id)
