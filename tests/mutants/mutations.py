"""What may be wrong with a line, one thing at a time: each mutation is another text of the module."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SPELLED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
OPPOSITES = [("<", "<="), (">", ">="), ("==", "!="), ("is", "is not"), ("in", "not in")]
INSTEAD = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Mutation:
    """One place of a module, and what stands there instead. `early`: it is reached when the module is imported."""

    line: int
    early: bool
    start: int
    end: int
    instead: str

    def of(self, source: str) -> str:
        """Return the module with it; positions are of its UTF-8 bytes."""
        data = source.encode()
        return (data[: self.start] + self.instead.encode() + data[self.end :]).decode()

    def told(self, source: str) -> str:
        """Say what was changed."""
        return f"{source.encode()[self.start : self.end].decode()}  ->  {self.instead}"


def mutations(source: str) -> Iterator[Mutation]:
    """Go through all of a module's."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    nodes = list(ast.walk(ast.parse(source)))
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            node.decorator_list = []  # whether a dataclass has slots decides nothing
    nodes = list(ast.walk(nodes[0]))
    bodies = [_place(starts, _body(node)) for node in nodes if isinstance(node, _FUNCTIONS)]

    def change(node: ast.expr | ast.stmt, instead: str) -> Mutation:
        start, end = _place(starts, [node])
        early = not any(first <= start and end <= last for first, last in bodies)
        return Mutation(node.lineno, early, start, end, instead)

    for node in nodes:
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                words = [SPELLED[type(each)] for each in operators]
                for index, word in enumerate(words):
                    told = [*words[:index], INSTEAD[word], *words[index + 1 :]]
                    pairs = zip(told, map(ast.unparse, others), strict=True)
                    yield change(node, f"({ast.unparse(left)} {' '.join(map(' '.join, pairs))})")
            case ast.BoolOp(op=operator, values=values):
                word = " or " if isinstance(operator, ast.And) else " and "
                told = [f"({ast.unparse(value)})" for value in values]
                yield change(node, f"({word.join(told)})")
                word = " and " if isinstance(operator, ast.And) else " or "
                for index in range(len(told)):
                    yield change(node, f"({word.join(told[:index] + told[index + 1 :])})")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield change(node, f"({ast.unparse(operand)})")
            case ast.Constant(value=bool() as value):
                yield change(node, str(not value))
            case ast.Constant(value=int() as value):
                yield change(node, str(value + 1))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
                sign = "-" if isinstance(operator, ast.Add) else "+"
                yield change(node, f"({ast.unparse(left)} {sign} {ast.unparse(right)})")
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield change(test, "True")
            case ast.If(test=test) | ast.IfExp(test=test):
                yield change(test, "True")
                yield change(test, "False")
            case ast.Raise() | ast.Expr(value=ast.Call() | ast.Await()):
                yield change(node, "pass")
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield change(value, "None")


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Sequence[ast.expr | ast.stmt]:
    return [function.body] if isinstance(function, ast.Lambda) else function.body


def _place(starts: list[int], nodes: Sequence[ast.expr | ast.stmt]) -> tuple[int, int]:
    """Return where they begin and end in the module, in bytes."""
    first, last = nodes[0], nodes[-1]
    assert last.end_lineno is not None
    assert last.end_col_offset is not None
    return starts[first.lineno - 1] + first.col_offset, starts[last.end_lineno - 1] + last.end_col_offset
