"""Literals, integer arithmetic and nested recipes, evaluated from a syntax tree: what a card and a default may be."""

import ast
import operator
from collections.abc import Callable
from typing import Any

from fdl_zoo.card import Recipe, Reference, Variant, Weights
from fdl_zoo.errors import InvalidCard


def _power(base: float, exponent: float) -> float:
    """`2.0**15`, but no number that takes long to compute."""
    if abs(base) > 1000 or abs(exponent) > 64:
        raise ValueError("the power is too large")
    power: float = base**exponent
    return power


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_NESTED: dict[str, type] = {"Recipe": Recipe, "Reference": Reference, "Variant": Variant, "Weights": Weights}


def made(kind: type, node: ast.Call) -> Any:
    """The object of a call with literal arguments."""
    if any(each.arg is None for each in node.keywords):
        raise _refused(node, "has arguments by **, which are no literals")
    keywords = {str(each.arg): literal(each.value) for each in node.keywords}
    try:
        return kind(*map(literal, node.args), **keywords)
    except TypeError as error:  # an argument that is not there, or given twice
        raise _refused(node, f"is refused: {str(error).replace('.__init__()', '')}") from None


def literal(node: ast.expr) -> Any:
    """The value of a node.

    Raises:
        InvalidCard: It is no literal; names its line.
    """
    try:
        return _evaluated(node)
    except (ArithmeticError, TypeError, ValueError) as error:  # 1 // 0, a key that cannot be hashed
        raise _refused(node, f"cannot be evaluated: {error}") from None


def _evaluated(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(map(literal, items))
        case ast.List(elts=items):
            return list(map(literal, items))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {literal(key): literal(value) for key, value in zip(filter(None, keys), values, strict=True)}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(left), _number(right))
        case ast.Call() if called(node) in _NESTED:
            return made(_NESTED[called(node)], node)
    raise _refused(node, "is no literal and no integer arithmetic")


def _refused(node: ast.expr, reason: str) -> InvalidCard:
    return InvalidCard(f"CARD cannot be read: {ast.unparse(node)[:60]!r} (line {node.lineno}) {reason}.")


def _number(node: ast.expr) -> Any:
    value = literal(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refused(node, "is no number, and arithmetic goes with numbers")
    return value


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
