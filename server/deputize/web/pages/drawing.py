"""How words become HTML: what is set apart in them is drawn apart, and nothing in them is markup."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from ...protocol.canonical import Json, canonicalize
from ...protocol.policy import Site
from ...protocol.question import Text
from ...protocol.redirect import is_local
from ...protocol.shown import FSI, PDI, plain, quotes_isolated
from ...protocol.url import origin_of
from ...words.catalogue import Worded, Words, words
from ...words.passkeys import passkey

_MARK = "\ue000"
"""Stands around the number of a piece of HTML in a message; nobody else's is in one, since `plain` replaces it."""

_PIECES = re.compile(f"([{FSI}{PDI}]|{_MARK}[0-9]+{_MARK})")
_CLOSED = Markup("</bdi>")
_BDI, _BDI_SAID = Markup("<bdi>"), Markup('<bdi class="said">')


def page(site: Site, template: str, language: str, status: int = 200, **values: object) -> Response:
    """Answer a template of this site, drawn in a language of the catalogue."""
    said = words(language)
    text = _TEMPLATES.get_template(template).render(
        site=site,
        issuer=site.issuer,
        language=said.language,
        direction=said.direction,
        say=partial(_say, said),
        bare=partial(_bare, said),
        quoted=said.quoted,
        called=partial(passkey, said),
        warned=partial(_warned, said),
        when=partial(_when, said),
        duration=said.duration,
        month_of=said.month,
        **values,
    )
    return HTMLResponse(text, status)


def _say(words: Words, name: str, /, **taken: str | int) -> Markup:
    """Say a message; what is HTML already goes into it as it is."""
    pieces: dict[str, Markup] = {}
    put = dict(taken)
    for each, value in taken.items():
        if isinstance(value, Markup):
            put[each] = Worded(f"{_MARK}{len(pieces)}{_MARK}")
            pieces[str(put[each])] = value
    return _drawn(words(name, **put), {FSI: _BDI, PDI: _CLOSED, **pieces})


def _bare(words: Words, name: str, /, **taken: str | int) -> str:
    """Say a message where nothing can be drawn: in the title of a page, or to who does not see."""
    return words(name, **taken).replace(FSI, "").replace(PDI, "")


def _warned(words: Words, drawn: Markup, scripts: list[str]) -> Markup:
    """Say beside a value that its letters are of alphabets that are not written together."""
    if not scripts:
        return drawn
    return _say(words, "mixed-alphabets", text=drawn, scripts=words.alphabets(scripts))


def _when(words: Words, seconds: int) -> Markup:
    at = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time datetime="{}">{}</time>').format(at, words.moment(seconds))


def _drawn(text: str, tags: Mapping[str, Markup]) -> Markup:
    return Markup("").join(tags.get(piece, piece) for piece in _PIECES.split(text))


def _line(text: str) -> Markup:
    """Draw a line in which isolates set apart what is not of the catalogue, as `Words` make it."""
    return _drawn(text, {FSI: _BDI, PDI: _CLOSED})


def _said(text: str) -> Markup:
    """Draw what is set apart in a description as what it is: an agent's words, not the site's (APPR-2)."""
    return _drawn(text, {FSI: _BDI_SAID, PDI: _CLOSED})


@dataclass(slots=True)
class Drawn:
    """A row as it is drawn: of values, or of the lines that say who asks."""

    title: str
    values: list[str] = field(default_factory=list)
    asker: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Listed:
    """A right or a limit as it is drawn, and what marks it as one that was not there before."""

    line: str
    new: str = ""


def _blocks(text: Text) -> list[tuple[str, list[Any]]]:
    """Gather neighbouring lines that are drawn as one: `rows`, who asks (`asker`), and those of the same part."""
    blocks: list[tuple[str, list[Any]]] = []
    for part, line in zip(text.parts, text.lines, strict=True):
        last = blocks[-1][0] if blocks else ""
        kind = {"row": "rows", "value": "rows", "claim": "asker"}.get(part, part)
        if part == "new":
            blocks[-1][1][-1].new = line
            continue
        if kind == "asker" and last == "rows":
            kind = last
        if kind != last:
            blocks.append((kind, []))
        block = blocks[-1][1]
        if kind in ("scope", "limit"):
            block.append(Listed(line))
        elif kind != "rows":
            block.append(line)
        elif part == "row":
            block.append(Drawn(line))
        else:
            (block[-1].values if part == "value" else block[-1].asker).append(line)
    return blocks


def _marks(text: Text) -> bool:
    """Tell whether anything in it is an agent's words."""
    filled_in = ("headline", "row", "value")
    return any(FSI in line for part, line in zip(text.parts, text.lines, strict=True) if part in filled_in)


def _exactly(value: Json) -> Markup:
    return _line(quotes_isolated(plain(canonicalize(value).decode())))


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("deputize.web.pages", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_FILTERS: dict[str, Callable[..., object]] = {
    "origin": origin_of,
    "host": lambda origin: origin.removeprefix("https://"),
    "local": is_local,
    "exactly": _exactly,
    "drawn": _line,
    "said": _said,
    "marked": lambda value: Markup('<bdi class="said">{}</bdi>').format(value),
    "code": lambda value: Markup("<code>{}</code>").format(value),
    "link": lambda address: Markup('<a href="{0}"><bdi>{0}</bdi></a>').format(address),
    "blocks": _blocks,
    "marks": _marks,
}
_TEMPLATES.filters |= _FILTERS
