"""Text of strangers as people are shown it (APPR-2): nothing hides, moves others, or passes for the site's words.

The same in the browser (`js/src/people/shown.js`); both are held to `tests/vectors/shown-text.json`.
"""

import re
from collections.abc import Mapping

import regex

from .canonical import Json, canonicalize

FSI, PDI = "\u2068", "\u2069"
"""First strong isolate and its end (UAX #9): what stands between them is ordered by itself."""

_SPACE = "␣"
# What ends a quotation, or looks as if it did: double marks of all kinds, and two single ones side by side (UTS #39).
_MARKS = regex.compile(
    r"[\"“”„‟«»″‴⁗‶‷ʺ˝ˮ˵˶״〃〝〞〟❝❞❠⹂⹉\uff02\U0001145a\U0001f676-\U0001f678]|['‘’‚‛′‵`´ʹʻʼʽˈ׳❛❜❟\uff07]{2,}"  # noqa: RUF001
)
# Control, format, private, surrogate, unassigned; line separators; what shows as nothing though it is a letter or mark.
_UNSEEN = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}"
    r"\u2800\u303f\U0001107f\U00013441\U00013442\U00016fe4\U0001d159]"
)
# More marks on one letter than any word has (UTS #39 §5.4): they would reach into the lines around it.
_PILED = regex.compile(r"(?<=(?:[\p{Mn}\p{Me}][\u200c\u200d]?){4})[\p{Mn}\p{Me}]")
# Joiners where a script needs them: after a virama (RFC 5892 A.1, A.2), between Arabic letters that would join
# (A.1), and in emoji (UTS #51), with the selectors that tell pictures from text.
_NEEDED = regex.compile(
    r"(?<=\p{ccc=9})[\u200c\u200d]"
    r"|(?<=[\p{Script=Arabic}&&\p{Joining_Type=D}]\p{M}*)\u200c(?=\p{M}*[\p{Script=Arabic}&&[\p{Joining_Type=D}\p{Joining_Type=R}]])"
    r"|(?<=\p{Extended_Pictographic}[\ufe0f\U0001f3fb-\U0001f3ff]?)\u200d(?=\p{Extended_Pictographic})"
    r"|(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]"
    r"|(?<=[0-9#*])\ufe0f(?=\u20e3)",
    regex.V1,
)
_RUN = regex.compile(r"\p{Zs}{2,}|^\p{Zs}|\p{Zs}$|[\p{Zs}--[ \u00a0\u202f]]", regex.V1)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d'’]+")
# UTS #39 §5.2, moderately restrictive: what one word may be made of, apart from a single script.
_SCRIPTS = (
    *("Latin", "Cyrillic", "Greek", "Armenian", "Georgian", "Cherokee", "Coptic", "Hebrew", "Arabic"),
    *("Syriac", "Thaana", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu"),
    *("Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Ethiopic"),
    *("Mongolian", "Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Canadian_Aboriginal", "Lisu"),
    *("Tifinagh", "Yi", "Nko", "Vai"),
)
_SCRIPT = regex.compile("|".join(rf"(\p{{Script={name}}})" for name in _SCRIPTS))
_LETTER = regex.compile(r"[\p{L}--[\p{Script=Common}\p{Script=Inherited}]]", regex.V1)
_SINGLE = regex.compile(  # most words: looked at as a whole, since text may be long
    "|".join(rf"[\P{{L}}\p{{Script=Common}}\p{{Script=Inherited}}\p{{Script={name}}}]+" for name in _SCRIPTS)
)
_TOGETHER = (
    {"Latin", "Han", "Hiragana", "Katakana"},
    {"Latin", "Han", "Bopomofo"},
    {"Latin", "Han", "Hangul"},
)
# What is shown as it is wherever it stands: what can be seen of ASCII, Latin-1 and Latin Extended; our quotation marks.
_SEEN = r"!-~\u00a1-\u00ac\u00ae-\u024f“”"
_WORDS = re.compile(rf"[{_SEEN}]++(?: [{_SEEN}]++)*+")
_SENTENCE = re.compile(rf"[ {_SEEN}]*+(?:{FSI}[ {_SEEN}]*+{PDI}[ {_SEEN}]*+)*+")
_LOOK_ALIKE = frozenset({"Cyrillic", "Greek", "Cherokee", "Coptic", "Armenian", "Lisu", "another"})


def plain(text: str) -> str:
    """Show what could hide, cover or reorder other characters as U+FFFD, but for joiners where they are needed."""
    if text.isascii() and text.isprintable():  # as most are
        return text
    needed = {found.start() for found in _NEEDED.finditer(text)} if _UNSEEN.search(text) else ()
    shown = _UNSEEN.sub(lambda found: found[0] if found.start() in needed else "\ufffd", text)
    return str(_PILED.sub("\ufffd", shown))


def visible(text: str) -> str:
    """Return the same, where runs of spaces, and spaces that do not look like one, are marks."""
    if _WORDS.fullmatch(text):  # as most are
        return text
    return _RUN.sub(lambda found: _SPACE * len(found[0]), plain(text))


def mixed(text: str) -> list[str]:
    """Name the alphabets that a word mixes although nobody writes them together: it may pass for another; else none."""
    if text.isascii():
        return []
    for word in _WORD.findall(text):
        if _SINGLE.fullmatch(word):
            continue
        scripts = {_script(each) for each in set(_LETTER.findall(word))}
        if not _go_together(scripts):
            return sorted(each.replace("_", " ") for each in scripts)
    return []


def warning(text: str) -> str:
    """Say that a word is made of such alphabets (APPR-2); else empty."""
    scripts = mixed(text)
    return f" (mixed alphabets: {' and '.join(scripts)})" if scripts else ""


def isolated(text: str) -> str:
    """Set text apart, so that no letters of it move what stands around it."""
    return f"{FSI}{text}{PDI}"


def quoted(text: str) -> str:
    """Put text in quotation marks that it cannot leave."""
    return spelled(text) if "\\" in text or _MARKS.search(text) else f"“{text}”"


def unquoted(text: str) -> str:
    """Put an apostrophe where text has quotation marks, so that it can stand in ours."""
    return str(_MARKS.sub("’", text))


def spelled(value: Json) -> str:
    """Spell a value as JSON, in which no text looks as if it ended."""
    text = canonicalize(value).decode()
    return str(_MARKS.sub(lambda found: '"' if found[0] == '"' else _escaped(found[0]), text))


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def said(value: Json) -> str:
    """Write a value of an agent's in a sentence of the site's: set apart, and text in quotation marks.

    Figures need no marks: without letters, nothing passes for words.
    """
    if isinstance(value, str) and _FIGURES.fullmatch(value):
        return isolated(value)
    if isinstance(value, str):
        return isolated(quoted(visible(value))) + warning(value)
    text = spelled(value)
    return isolated(visible(text)) + warning(text)


class _Said(str):
    """Text of an agent's that sets itself apart wherever it is formatted, or put beside other text."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return said(format(str.__str__(self), spec))

    def __str__(self) -> str:
        return said(str.__str__(self))

    __repr__ = __str__

    def __add__(self, other: str) -> str:
        return f"{self}{other}"

    def __radd__(self, other: str) -> str:
        return f"{other}{self}"


class _SaidArray(list[Json]):
    """The same for an array."""

    __slots__ = ()

    def __repr__(self) -> str:
        return said(self)


class _SaidObject(dict[str, Json]):
    """The same for an object."""

    __slots__ = ()

    def __repr__(self) -> str:
        return said(self)


def as_said(arguments: Mapping[str, Json]) -> dict[str, Json]:
    """Hand arguments to a function that writes sentences: its f-strings and sums set text apart as `said`
    does, at any depth, names too. They are a copy: what the function does with them is done to no call."""
    return _SaidObject((_Said(name), _as_said(value)) for name, value in arguments.items())


def _as_said(value: Json) -> Json:
    if isinstance(value, str):
        return _Said(value)
    if isinstance(value, list):
        return _SaidArray(map(_as_said, value))
    return as_said(value) if isinstance(value, dict) else value


_FIGURES = regex.compile(r"[-+]?[0-9]+([.,:/-][0-9]+)*")
_ISOLATES = re.compile(f"([{FSI}{PDI}])")
_OPENED = regex.compile(r"“[^”]*”|\"(?:[^\"\\]|\\.)*\"")


def marked(text: str) -> str:
    """Make a sentence of the site's plain, but keep the isolates of `said` in it; those that do not pair are not
    ours."""
    if _SENTENCE.fullmatch(text):  # as most are
        return text
    pieces = _ISOLATES.split(text)
    depth = 0
    for piece in pieces[1::2]:
        depth += 1 if piece == FSI else -1
        if depth < 0:
            return plain(text)
    return "".join(map(_kept, pieces)) if depth == 0 else plain(text)


def _kept(piece: str) -> str:
    return piece if piece in (FSI, PDI) else plain(piece)


def quotes_isolated(sentence: str) -> str:
    """Set quotations apart, in a sentence that quotes only strangers (CONS-4)."""
    return str(_OPENED.sub(lambda found: isolated(found[0]), sentence))


def length(text: str) -> int:
    """Count what is to be read, without what only sets it apart."""
    return len(text) - text.count(FSI) - text.count(PDI)


def _script(letter: str) -> str:
    found = _SCRIPT.match(letter)
    return _SCRIPTS[found.lastindex - 1] if found is not None and found.lastindex else "another"


def _go_together(scripts: set[str]) -> bool:
    if len(scripts) <= 1 or any(scripts <= each for each in _TOGETHER):
        return True
    return len(scripts) == 2 and "Latin" in scripts and not scripts & _LOOK_ALIKE
