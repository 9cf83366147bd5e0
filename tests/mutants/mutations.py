"""What may be wrong with a line, one thing at a time: each mutation is another text of the module."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}


@dataclass(frozen=True)
class Mutation:
    """One place of a module, and what stands there instead."""

    line: int
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

    def change(node: ast.expr | ast.stmt, instead: str) -> Mutation:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        return Mutation(node.lineno, start, starts[node.end_lineno - 1] + node.end_col_offset, instead)

    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARED:
                told = f"({ast.unparse(left)} {COMPARED[type(operator)]} {ast.unparse(right)})"
                yield change(node, told)
            case ast.BoolOp(op=operator, values=values):
                word = " or " if isinstance(operator, ast.And) else " and "
                yield change(node, f"({word.join(f'({ast.unparse(value)})' for value in values)})")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield change(node, f"({ast.unparse(operand)})")
            case ast.Constant(value=bool() as value):
                yield change(node, str(not value))
            case ast.Constant(value=int() as value):
                yield change(node, str(value + 1))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
                sign = "-" if isinstance(operator, ast.Add) else "+"
                yield change(node, f"({ast.unparse(left)} {sign} {ast.unparse(right)})")
            case ast.If(test=test) | ast.IfExp(test=test):
                yield change(test, "True")
                yield change(test, "False")
            case ast.Raise():
                yield change(node, "pass")
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield change(value, "None")
