"""The options of a factory, read from its definition or from a live function: names, types, defaults, ranges, help."""

import ast
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from fdl_zoo.errors import InvalidCard
from fdl_zoo.literal import literal
from fdl_zoo.option import REQUIRED, Interval, Option, Type

_UNIONS = {"Union": Type(), "Optional": Type(nullable=True)}  # what Python makes of `|` with a Literal
_SCALARS: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}

BASE_OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("weight_decay", Type((float,), nullable=True), None, "Rate of decoupled weight decay.", Interval(0)),
        Option("clipnorm", Type((float,), nullable=True), None, "Largest norm of each gradient.", Interval(0)),
        Option("clipvalue", Type((float,), nullable=True), None, "Largest value in a gradient.", Interval(0)),
        Option("global_clipnorm", Type((float,), nullable=True), None, "Largest norm of all gradients.", Interval(0)),
        Option("use_ema", Type((bool,)), False, "Keep a moving average of the weights."),
        Option("ema_momentum", Type((float,)), 0.99, "Decay of that average.", Interval(0, 1)),
        Option(
            "ema_overwrite_frequency",
            Type((int,), nullable=True),
            None,
            "Steps after which the average replaces the weights.",
            Interval(1),
        ),
        Option("loss_scale_factor", Type((float,), nullable=True), None, "Factor on the loss against underflow."),
        Option(
            "gradient_accumulation_steps",
            Type((int,), nullable=True),
            None,
            "Batches whose gradients are averaged into one step.",
            Interval(2),
        ),
    )
}

_NOT_OPTIONS = {"self", "input_shape", "num_outputs", "context"}


def read_signature(
    function: ast.FunctionDef, ranges: Mapping[str, Any], helps: Mapping[str, str] | None = None
) -> tuple[dict[str, Option], tuple[str, ...]]:
    """The options of a factory from its definition, and the names of all its parameters.

    Args:
        function: Its node.
        ranges: The card's ranges.
        helps: A line per option; by default those of the function's own docstring.

    Raises:
        InvalidCard: An annotation or default outside the contract, or a range for an option that is not there.
    """
    helps = argument_lines(ast.get_docstring(function) or "") if helps is None else helps
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    padding = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, padding + list(arguments.defaults), strict=True))
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    options: dict[str, Option] = {}
    for argument, default in pairs:
        if argument.arg in _NOT_OPTIONS:
            continue
        value = REQUIRED if default is None else _default(default, argument.arg)
        accepted = (
            _type_of_default(value)
            if argument.annotation is None
            else read_annotation(argument.annotation, argument.arg)
        )
        options[argument.arg] = _option(argument.arg, accepted, value, helps, ranges)
    if arguments.kwarg is not None:
        options |= {name: option for name, option in BASE_OPTIONS.items() if name not in options}
    _check_ranges(ranges, options)
    names = [argument.arg for argument, _ in pairs]
    return options, (*names, *([f"**{arguments.kwarg.arg}"] if arguments.kwarg else []))


def read_live_signature(
    function: Callable[..., Any], ranges: Mapping[str, Any]
) -> tuple[dict[str, Option], tuple[str, ...]]:
    """The same of a live function, as a notebook's decorator meets it."""
    signature = inspect.signature(function)
    helps = argument_lines(inspect.getdoc(function) or "")
    options = {}
    for parameter in signature.parameters.values():
        if parameter.name in _NOT_OPTIONS or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        accepted = _live_type(parameter, default)
        options[parameter.name] = _option(parameter.name, accepted, default, helps, ranges)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
        options |= {name: option for name, option in BASE_OPTIONS.items() if name not in options}
    _check_ranges(ranges, options)
    marks: dict[Any, str] = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    return options, tuple(f"{marks.get(each.kind, '')}{name}" for name, each in signature.parameters.items())


def _live_type(parameter: inspect.Parameter, default: Any) -> Type:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return _type_of_default(default)
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        annotation = annotation.__name__
    return read_annotation(_expression(str(annotation)), parameter.name)


def _check_ranges(ranges: Mapping[str, Any], options: Mapping[str, Option]) -> None:
    for name in ranges:
        if name not in options:
            raise InvalidCard(
                f"CARD gives a range for {name!r}, which is no option: the options are {', '.join(options) or 'none'}."
            )


def _option(name: str, accepted: Type, default: Any, helps: Mapping[str, str], ranges: Mapping[str, Any]) -> Option:
    interval = Interval.read(ranges[name]) if name in ranges else None
    return Option(name, accepted, default, helps.get(name, ""), interval)


def _default(node: ast.expr, name: str) -> Any:
    try:
        return literal(node)
    except InvalidCard:
        raise InvalidCard(f"The default of {name!r} cannot be {ast.unparse(node)[:60]!r}: write a literal.") from None


def _type_of_default(default: Any) -> Type:
    """The type of an option without annotation, as in Keras's own signatures: what its default suggests."""
    if isinstance(default, bool):
        return Type((bool,))
    if isinstance(default, (int, float)):
        return Type((int, float) if isinstance(default, int) else (float,))
    return Type()


def _expression(text: str) -> ast.expr | None:
    """An annotation given as text; None where it is no expression."""
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def read_annotation(node: ast.expr | None, name: str) -> Type:
    """The type that an option's annotation accepts.

    Raises:
        InvalidCard: It is outside the contract.
    """
    match node:
        case ast.Constant(value=None) | ast.Name(id="NoneType"):
            return Type(nullable=True)
        case ast.Constant(value=str() as text) if (inner := _expression(text)) is not None:
            return read_annotation(inner, name)
        case ast.Name(id=word) if word in _SCALARS:
            return Type((_SCALARS[word],))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return read_annotation(left, name) | read_annotation(right, name)
        case ast.Subscript(value=ast.Name(id=word) | ast.Attribute(attr=word), slice=inner) if word in _UNIONS:
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return reduce(operator.or_, (read_annotation(each, name) for each in members), _UNIONS[word])
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=choices):
            items = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            values = tuple(map(literal, items))
            return Type(choices=tuple(value for value in values if value is not None), nullable=None in values)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=end)])) if (
            end is ...
        ):
            return Type(item=read_annotation(item, name))
    stated = "that text" if node is None else repr(ast.unparse(node))
    raise InvalidCard(
        f"The option {name!r} cannot be annotated {stated}: "
        "use int, float, bool, str, Literal[...], tuple[T, ...], and | None."
    )


def argument_lines(doc: str) -> dict[str, str]:
    """The lines of a docstring's Args section by argument (Google's style), wrapped lines joined."""
    section = re.search(r"^(?:Args|Arguments):[ \t]*\n((?:[ \t]+.*\n?|[ \t]*\n)*)", inspect.cleandoc(doc), re.MULTILINE)
    lines: dict[str, str] = {}
    current = ""
    for line in section[1].splitlines() if section else ():
        start = re.match(r"(?: {4}|\t)\**(\w+)(?: \([^)]*\))?:\s*(.*)", line)
        if start:
            current = start[1]
            lines[current] = start[2].strip()
        elif current and line.strip():
            lines[current] = f"{lines[current]} {line.strip()}".strip()
    return lines
