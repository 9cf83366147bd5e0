"""Describe templates: the headline and the rows that a user approves, made from the arguments of a call (APPR-2).

What they say is exactly what will run. Values other than text are written as canonical JSON; an amount that
would have to be rounded is refused, and so is a name that the arguments lack. Whatever an expression writes counts as
the agent's words, and is set apart from the site's, which are those of the template itself.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from jinja2 import Environment, StrictUndefined, TemplateError, meta, nodes, pass_environment
from jinja2.compiler import CodeGenerator, Frame
from jinja2.filters import make_attrgetter
from jinja2.sandbox import ImmutableSandboxedEnvironment

from deputize.protocol.canonical import Json
from deputize.protocol.clauses import member
from deputize.protocol.description import Description, Row, rows_of, title_of
from deputize.protocol.shown import FSI, PDI, isolated, plain, said
from deputize.protocol.tool import Describe
from deputize.settings.filters import EXACT, Written

_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class Headline:
    """A template, compiled: the arguments that it `uses`, those of which it always says all, and what renders it."""

    uses: frozenset[str]
    tells: frozenset[str]
    render: Callable[[Mapping[str, Json]], str]


@dataclass(frozen=True, slots=True)
class Argument:
    """What a row shows: an argument, or what lies in it, by the names that lead there, perhaps through a filter."""

    path: tuple[str, ...]
    written: Callable[[object], str] | None = None

    def rows(self, arguments: Mapping[str, Json], own: Json) -> Sequence[Row]:
        """Make the rows: none where it is not given."""
        found: Json = dict(arguments)
        titles: list[str] = []
        for name in self.path:
            if not isinstance(found, dict) or name not in found:
                return ()
            titles.append(title_of(own, name) if name in properties(own) else plain(name))
            found, own = found[name], member(own, name)
        title = " › ".join(titles)
        return [*rows_of(title, found, own)] if self.written is None else [Row(title, (self.written(found),))]


@dataclass(frozen=True, slots=True)
class Described:
    """What describes a call, and which of its arguments it has `told` whole."""

    describe: Describe
    told: frozenset[str]


def describing(headline: Headline, shown: Sequence[Argument], own: Json) -> Described:
    """Put a headline and rows together, by the schema of the arguments."""

    def describe(arguments: Mapping[str, Json]) -> Description:
        rows = (row for each in shown for row in each.rows(arguments, own))
        return Description(headline.render(arguments), tuple(rows))

    whole = {each.path[0] for each in shown if len(each.path) == 1}
    return Described(describe, headline.tells | whole)


def compile_row(text: str) -> Argument:
    """Compile what a row shows: an argument, `iban`, or one in it, `payee.iban`, perhaps with a filter of ours.

    ValueError for anything else: a row shows what there is, and nothing that is made of it.
    """
    try:
        body = _ENVIRONMENT.parse("{{" + text + "}}").body
    except Exception:  # as in compile_template
        body = []
    match body:
        case [nodes.Output(nodes=[nodes.Expr() as value])] if path := _path(_unfiltered(value)):
            return Argument(path, _filter(value) if isinstance(value, nodes.Filter) else None)
    raise ValueError('name an argument, perhaps with a filter: "iban | iban", "amount | money(\'EUR\')"')


def properties(own: Json) -> Mapping[str, Json]:
    """Return what a schema says of the members of an object."""
    found = own.get("properties") if isinstance(own, dict) else None
    return found if isinstance(found, dict) else {}


def _filter(node: nodes.Filter) -> Callable[[object], str]:
    write = EXACT[node.name]
    try:
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise nodes.Impossible
        given = [each.as_const() for each in node.args]
        write("0", *given)
    except (nodes.Impossible, TypeError) as error:
        raise ValueError(f"write the currency beside the filter: {node.name}('EUR')") from error
    return lambda value: _written(write(value, *given))


def _unfiltered(value: nodes.Node) -> nodes.Node | None:
    """Return what a filter of ours writes whole, or the value itself."""
    return value.node if isinstance(value, nodes.Filter) and value.name in EXACT else value


def _path(value: nodes.Node | None) -> tuple[str, ...]:
    match value:
        case nodes.Name(name=name):
            return (name,)
        case nodes.Getattr(node=inner, attr=attr):
            return (*outer, attr) if (outer := _path(inner)) else ()
    return ()


def compile_template(text: str) -> Headline:
    """Compile a Jinja2 template.

    A line break in the template is a space in the headline. ValueError says why a template does not compile.
    """
    text = _LINE_BREAK.sub(" ", text.strip())
    try:
        tree = _ENVIRONMENT.parse(text)
        template = _ENVIRONMENT.from_string(_joining(_ENVIRONMENT.parse(text)))
    except TemplateError as error:
        raise ValueError(f"the template does not compile: {error.message}") from error
    except Exception as error:  # of Python's own compiler, which jinja2 hands its output to
        raise ValueError("the template is too large or too deep") from error
    _check_blocks(tree)
    uses = frozenset(meta.find_undeclared_variables(tree))
    pieces = _pieces(tree, uses)

    def render(arguments: Mapping[str, Json]) -> str:
        if pieces is not None:
            return "".join([each if isinstance(each, str) else each(arguments) for each in pieces])
        return template.render({name: _without_isolates(value) for name, value in arguments.items()})

    written = (each for output in tree.body if isinstance(output, nodes.Output) for each in output.nodes)
    tells = {path[0] for each in written if len(path := _path(_unfiltered(each))) == 1}
    set_here = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    return Headline(uses, frozenset(tells & uses) - set_here, render)


_Piece: TypeAlias = str | Callable[[Mapping[str, Json]], str]


def _pieces(tree: nodes.Template, uses: Collection[str]) -> list[_Piece] | None:
    """Return what a template consists of that has only text and arguments, perhaps through filters of ours: as most
    have, which are written from it in a fraction of the time that Jinja2 takes. None for any other."""
    made: list[_Piece] = []
    for part in tree.body:
        for each in part.nodes if isinstance(part, nodes.Output) else [part]:
            match each, _unfiltered(each):
                case nodes.TemplateData(data=text), _:
                    made.append(text)
                case _, nodes.Name(name=name) if name in uses:
                    try:
                        write = _filter(each) if isinstance(each, nodes.Filter) else _written
                    except ValueError:  # one with arguments that are no constants
                        return None
                    made.append(partial(_piece, name, write))
                case _:
                    return None
    return made


def _piece(name: str, write: Callable[[Json], str], arguments: Mapping[str, Json]) -> str:
    return write(_without_isolates(arguments[name]))


def _check_blocks(tree: nodes.Template) -> None:
    """Refuse, with ValueError, what brings text from elsewhere, or changes text that was set apart already."""
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise ValueError("the template names another one; write all of it here")
    if tree.find(nodes.FilterBlock) is not None:
        raise ValueError(
            "{% filter %} changes the site's words and the agent's together, so that nobody could tell them apart;"
            " write the filter in each expression: {{ name | upper }}"
        )
    if tree.find(nodes.EvalContextModifier) is not None:
        raise ValueError("this is plain text, where {% autoescape %} would show other characters")


class _Argument(str):
    """A text in the arguments. Filters get it as it is; where a template joins it to other text, it is set apart."""

    __slots__ = ()

    def __str__(self) -> str:
        return said(str.__str__(self))


class _Apart(str):
    """Text in which what is the agent's is set apart already: of a macro or a block, or joined by `~` or `join`.

    Whatever else makes text of it, and of an argument, makes text of the agent's: a part of one has no marks yet, and a
    part of this may have lost them.
    """

    __slots__ = ()


def _written(value: Json) -> str:
    if isinstance(value, _Apart):
        return value
    if isinstance(value, _Argument):
        return said(str.__str__(value))
    if isinstance(value, Written):
        return isolated(value)
    return said(value.translate(_NO_MARKS) if isinstance(value, str) else value)


class _Code(CodeGenerator):
    """Compiles `~` so that each of its operands is written as an expression of its own, but for the site's literals."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 — as jinja2 calls it
        """Compile it."""
        self.write("environment.concat((")
        for each in node.nodes:
            own = isinstance(each, nodes.Const) and isinstance(each.value, str)
            self.write("(" if own else "environment.finalize(")
            self.visit(each, frame)
            self.write("), ")
        self.write("))")


class _Environment(ImmutableSandboxedEnvironment):
    """The environment of all templates: what its templates put together is known by its type."""

    code_generator_class = _Code

    def wrap_str_format(self, value: object) -> Callable[..., str] | None:
        """Let `format` make plain text, which counts as the agent's: into what is set apart already it writes values as
        they are, such as `{:.5}` or `{0[0]}` of an argument, and it would hand that on as the same kind of text."""
        wrapped = super().wrap_str_format(value)
        return wrapped and (lambda *args, **more: str.__str__(wrapped(*args, **more)))

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Put together what was written, for a block or a macro or the whole."""
        return _Apart("".join(parts))


def _joining(tree: nodes.Template) -> nodes.Template:
    """Let `join` set apart what it joins, where what stands between is the site's own."""
    for each in tree.find_all(nodes.Filter):
        given = [*each.args, *(one.value for one in each.kwargs)]
        if each.name == "join" and all(isinstance(one, nodes.Const) for one in given):
            each.name = _JOIN
    return tree


@pass_environment
def _joined(
    environment: Environment, value: Iterable[Json], d: str = "", attribute: str | int | None = None
) -> str:
    each = map(make_attrgetter(environment, attribute), value) if attribute is not None else value
    return _Apart(d.join(map(_written, each)))


def _without_isolates(value: Json) -> Json:
    """Return an argument without the marks by which we set text apart."""
    match value:
        case str():
            return _Argument(value.translate(_NO_ISOLATES))
        case list():
            return [_without_isolates(each) for each in value]
        case dict():
            return {name.translate(_NO_ISOLATES): _without_isolates(each) for name, each in value.items()}
    return value


_NO_ISOLATES = {ord(FSI): "\ufffd", ord(PDI): "\ufffd"}
_NO_MARKS = {ord(FSI): None, ord(PDI): None}  # ours: no argument has any
_JOIN = " join"  # no template can name it

_ENVIRONMENT = _Environment(
    undefined=StrictUndefined,
    finalize=_written,
    autoescape=False,  # it makes plain text, which is shown as text
)
_ENVIRONMENT.globals.clear()  # or `range` and the like would hide the absence of an argument of that name
_ENVIRONMENT.filters |= {**EXACT, _JOIN: _joined}
