"""The catalogue: one Fluent file for each language, found by being there. Numbers, dates and lists are CLDR's.

A file is named by its language tag (BCP 47), as `pt-BR.ftl`. Messages that it lacks are said in English. Those that it
has say all that the English ones say, whichever variant is chosen, or something would be hidden from its readers: a
file where one does not (`taken.py`), or that is not Fluent, keeps everything from starting.

Variables that are not of the catalogue are set apart with U+2068 and U+2069, and characters in them that hide or cover
others are shown as U+FFFD. This is done here, so that no translator can forget it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.units import format_unit
from fluent.runtime import FluentBundle
from fluent.runtime.types import fluent_number
from fluent.syntax import FluentParser, ast

from ..protocol.canonical import Json
from ..protocol.shown import isolated, mixed, plain, quoted, spelled
from .taken import hides, patterns_of, variables_in

DEFAULT = "en"
"""The language that has every message, for those who read none of the others."""

_FOLDER = files("deputize.words")
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_FIGURES = range(-9, 16)
"""Powers of ten of the numbers that are written in figures; beyond them, numbers are written as in JSON."""
_MARK = "\uf8ff"
"""Stands for a text while Fluent makes a message, on both sides of its number. `plain` takes it out of other text."""

_MARKS = re.compile(f"{_MARK}([0-9]+){_MARK}")


class Worded(str):
    """What the catalogue has made: text from elsewhere in it is set apart already."""

    __slots__ = ()


class Words:
    """One language of the catalogue."""

    def __init__(self, language: str, resource: ast.Resource, otherwise: "Words | None" = None) -> None:
        """Read the messages of a file; ValueError for one that hides what `otherwise`, the whole language, says."""
        self.language = language
        self._bundle = FluentBundle([language], use_isolating=False)
        self._bundle.add_resource(resource)
        self._otherwise = otherwise
        self._fixed: dict[str, Worded] = {}
        self.patterns = patterns_of(language, resource)
        self.variables: dict[str, frozenset[str]] = {**otherwise.variables} if otherwise is not None else {}
        """What each message, or `message.attribute`, takes up; English has those that this language lacks."""
        self.variables |= {name: variables_in(pattern) for name, pattern in self.patterns.items()}
        region = self("script-region") if "script-region" in self.patterns else language
        if region.partition("-")[0] != language.partition("-")[0]:
            raise ValueError(f"{language}.ftl: script-region is a region of another language")
        try:
            self.locale = Locale.parse(region, sep="-")
        except (UnknownLocaleError, ValueError) as error:
            raise ValueError(f"{language}.ftl: nobody knows the language or region {region}") from error
        for name, pattern in self.patterns.items():
            english = otherwise.patterns.get(name) if otherwise is not None else pattern
            if english is None or hides(pattern, english):
                raise ValueError(f"{language}.ftl: {name} does not take up what it takes up in {DEFAULT}.ftl")

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """Return how the language is written, as HTML's `dir` has it."""
        return "rtl" if self.locale.character_order == "right-to-left" else "ltr"

    def __call__(self, name: str, /, **taken: str | int | float) -> Worded:
        """Say a message, or `message.attribute`; KeyError if there is none, ValueError if something is not given."""
        if name not in self.patterns and self._otherwise is not None:
            return self._otherwise(name, **taken)
        if not taken and name in self._fixed:
            return self._fixed[name]
        message, _, attribute = name.partition(".")
        found = self._bundle.get_message(message)
        pattern = found.attributes[attribute] if attribute else found.value
        if pattern is None:
            raise KeyError(name)
        texts: list[str] = []
        put = {each: self._put(value, texts) for each, value in taken.items()}
        said, errors = self._bundle.format_pattern(pattern, put)
        if errors:
            raise ValueError(f"{self.language}.ftl: {name}: {errors[0]}")
        worded = Worded(_MARKS.sub(lambda found: texts[int(found[1])], str(said)) if texts else said)
        if not taken:
            self._fixed[name] = worded
        return worded

    def _put(self, value: str | int | float, texts: list[str]) -> object:
        """Return what Fluent is given: a number, or a mark for a text, since Fluent bounds the length of texts."""
        if not isinstance(value, str) and _is_figures(value):
            if isinstance(value, int) or value == 0:  # of which JSON knows one
                return fluent_number(int(value))
            exact = Decimal(repr(value))
            return fluent_number(exact, maximumFractionDigits=max(0, -int(exact.as_tuple().exponent)))
        text = value if isinstance(value, str) else self.json(value)
        texts.append(text if isinstance(text, Worded) else isolated(plain(text)))
        return f"{_MARK}{len(texts) - 1}{_MARK}"

    def quoted(self, text: str) -> Worded:
        """Write an agent's text: set apart, in quotation marks, with a warning where its alphabets are mixed."""
        told = Worded(isolated(plain(quoted(text))))
        if not (scripts := mixed(text)):
            return told
        return self("mixed-alphabets", text=told, scripts=self.alphabets(scripts))

    def alphabets(self, names: Iterable[str]) -> Worded:
        """List alphabets, named as Unicode names them, by their names in this language."""
        return self.all_of(Worded(self.locale.scripts.get(_SCRIPTS.get(each, ""), each)) for each in names)

    def json(self, value: Json) -> Worded:
        """Write an agent's value: text in quotation marks, numbers as this language does, all else as JSON."""
        if isinstance(value, str):
            return Worded(isolated(plain(quoted(value))))
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_figures(value):
            return self("figures", number=value)
        return Worded(isolated(plain(spelled(value))))

    def all_of(self, said: Iterable[Worded]) -> Worded:
        """List several things that are all meant: "a, b and c"."""
        return Worded(format_list([*said], "standard", self.locale))

    def one_of(self, said: Iterable[Worded]) -> Worded:
        """List several things of which one is meant: "a, b or c"."""
        return Worded(format_list([*said], "or", self.locale))

    def joined(self, name: str, said: Iterable[Worded]) -> Worded:
        """Write things one after the other, separated by what this message says."""
        return Worded(self(name).join(said))

    def day(self, seconds: int) -> Worded:
        """Write the day, in UTC, of a time in seconds since the epoch."""
        return Worded(format_date(datetime.fromtimestamp(seconds, UTC), "medium", self.locale))

    def month(self, text: str) -> Worded:
        """Write a month, given as `YYYY-MM`."""
        return Worded(format_skeleton("yMMMM", date.fromisoformat(f"{text}-01"), locale=self.locale))

    def moment(self, seconds: int) -> Worded:
        """Write a time in seconds since the epoch as day and time in UTC, with seconds where there are some."""
        at = datetime.fromtimestamp(seconds, UTC)
        clock = Worded(format_skeleton("Hms" if at.second else "Hm", at, locale=self.locale))
        return self("moment", day=self.day(seconds), clock=clock)

    def clock(self, text: str) -> Worded:
        """Write a time of the day, given as `HH:MM`."""
        return Worded(
            format_skeleton("Hm", datetime.combine(_ANY_DAY, time.fromisoformat(text)), locale=self.locale)
        )

    def duration(self, seconds: int) -> Worded:
        """Write how long something lasts, in the largest unit that divides it."""
        fitting = (each for each in _UNITS if seconds >= each[1] and seconds % each[1] == 0)
        unit, size = next(fitting, _UNITS[-1])
        return Worded(format_unit(seconds // size, f"duration-{unit}", locale=self.locale))


_SCRIPTS = {name: code for code, name in Locale(DEFAULT).scripts.items()}
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC).date()


def words(language: str) -> Words:
    """Return a language of the catalogue; English for one that it does not have (any more)."""
    known = _languages()
    return known.get(language) or known[DEFAULT]


def languages() -> list[str]:
    """List the languages that there are."""
    return [*_languages()]


def language_of(accepted: str) -> str:
    """Choose by `Accept-Language` (RFC 9110 §12.5.4) and lookup (RFC 4647 §3.4); English where nothing fits."""
    return _language_of(accepted[:_MAX_ACCEPTED])


@lru_cache(maxsize=256)
def _language_of(accepted: str) -> str:
    ranges: list[tuple[float, str]] = []
    for each in accepted.split(","):
        tag, _, weight = each.replace(" ", "").replace("\t", "").lower().partition(";q=")
        try:
            ranges.append((float(weight) if weight else 1.0, tag))
        except ValueError:
            continue
    known = {language.lower(): language for language in _languages()}
    for rank, wanted in sorted(ranges, key=lambda each: -each[0]):
        subtags = wanted.split("-") if 0 < rank <= 1 else []
        while subtags:
            if (found := known.get("-".join(subtags))) is not None:
                return found
            subtags = subtags[:-2] if len(subtags) > 1 and len(subtags[-2]) == 1 else subtags[:-1]
    return DEFAULT


_MAX_ACCEPTED = 300  # characters; browsers send a fraction of it


@cache
def _languages() -> Mapping[str, Words]:
    """Read all files, once."""
    named = {each.name.removesuffix(".ftl"): each for each in _FOLDER.iterdir() if each.name.endswith(".ftl")}
    texts = {
        language: FluentParser().parse(each.read_text("utf-8")) for language, each in sorted(named.items())
    }
    whole = Words(DEFAULT, texts.pop(DEFAULT))
    return {DEFAULT: whole, **{language: Words(language, text, whole) for language, text in texts.items()}}


def _is_figures(value: int | float) -> bool:
    return Decimal(repr(value)).adjusted() in _FIGURES
