"""A card and a signature read from source, without importing it: what makes a listing fast and harmless."""

import ast
import inspect
import operator
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from fdl_zoo.card import Card, Recipe, Reference, Variant
from fdl_zoo.errors import InvalidCard
from fdl_zoo.option import REQUIRED, Interval, Option, Type


def _power(base: float, exponent: float) -> float:
    """`2.0**15`, but no number that takes long to compute."""
    if abs(base) > 1000 or abs(exponent) > 64:
        raise ValueError("the power is too large")
    return base**exponent


_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_PARSING = threading.Lock()  # the filters of warnings belong to the whole process
_NESTED: dict[str, type] = {"Recipe": Recipe, "Reference": Reference, "Variant": Variant}
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


@dataclass(frozen=True)
class EntrySource:
    """What an entry's file says: its docstring, its card and the options of its factory.

    Args:
        doc: The module's docstring (of a class: the class's).
        card: The card; an empty one where the file has none.
        options: The options by name, in order.
        parameters: All parameters of the factory, `input_shape` and `context` included.
        problem: Why card or options could not be read; empty where all is well.
    """

    doc: str = ""
    card: Card = field(default_factory=Card)
    options: Mapping[str, Option] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    problem: str = ""

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return self.doc.strip().partition("\n")[0]


def read_entry(path: Path, attribute: str = "build") -> EntrySource:
    """What the file of an entry says. Never raises for what stands in the file: `problem` holds the reason.

    Args:
        path: The module's file.
        attribute: The factory's name.
    """
    try:
        tree = _parsed(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return EntrySource(problem=f"{path.name} cannot be read: {error}.")
    doc = ast.get_docstring(tree) or ""
    try:
        return _read_tree(tree, doc, attribute, path.name)
    except InvalidCard as error:
        return EntrySource(doc=doc, problem=str(error))
    except RecursionError:
        return EntrySource(doc=doc, problem=f"{path.name} cannot be read: an expression is nested too deeply.")


def _parsed(text: bytes) -> ast.Module:
    """The tree of a file; what Python warns of in it, such as an odd escape, is its author's and not a listing's."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _read_tree(tree: ast.Module, doc: str, attribute: str, filename: str) -> EntrySource:
    function = _definition(tree, attribute)
    if function is None:
        raise InvalidCard(f"{filename} does not define {attribute!r} itself: define it there, not by an import.")
    node = _assigned(tree, "CARD")
    card = read_card(node) if node is not None else Card()
    options, parameters = read_signature(function, card.ranges)
    return EntrySource(doc, card, options, parameters)


def read_class(path: Path, name: str) -> EntrySource:
    """A class's docstring and the options of its constructor: how Keras's own optimizers and callbacks are shown."""
    tree = ast.parse(path.read_bytes())
    node = next(each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name)
    init = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    doc = ast.get_docstring(node) or ""
    if init is None:
        return EntrySource(doc)
    options, parameters = read_signature(init, {}, _argument_lines(doc))
    options.pop("name", None)
    options |= {
        name: replace(BASE_OPTIONS[name], default=options[name].default) for name in BASE_OPTIONS.keys() & options
    }
    return EntrySource(doc, Card(), options, parameters)


def read_callable(function: Callable, card: Card) -> EntrySource:
    """The same facts of a live function: how a notebook's decorator registers one."""
    signature = inspect.signature(function)
    helps = _argument_lines(inspect.getdoc(function) or "")
    options = {}
    for parameter in signature.parameters.values():
        if parameter.name in _NOT_OPTIONS or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        accepted = _live_type(parameter, default)
        options[parameter.name] = _option(parameter.name, accepted, default, helps, card.ranges)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
        options |= {name: option for name, option in BASE_OPTIONS.items() if name not in options}
    _check_ranges(card.ranges, options)
    doc = inspect.getdoc(function) or ""
    return EntrySource(doc, card, options, tuple(signature.parameters))


def _live_type(parameter: inspect.Parameter, default: Any) -> Type:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return _type_of_default(default)
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        annotation = annotation.__name__
    return _read_annotation(_expression(str(annotation)), parameter.name)


def read_card(node: ast.expr) -> Card:
    """A `Card(...)` of literals, integer arithmetic and nested recipes, references and variants.

    Raises:
        InvalidCard: Anything else stands there.
    """
    if not isinstance(node, ast.Call) or _called(node) != "Card" or node.args:
        raise InvalidCard("CARD cannot be read: write CARD = Card(...) with keyword arguments.")
    return _made(Card, node)


def _made(made: type, node: ast.Call) -> Any:
    """The object of a call with literal arguments."""
    if any(each.arg is None for each in node.keywords):
        raise _refused(node, "has arguments by **, which are no literals")
    keywords = {str(each.arg): _literal(each.value) for each in node.keywords}
    try:
        return made(*map(_literal, node.args), **keywords)
    except TypeError as error:  # an argument that is not there, or given twice
        raise _refused(node, f"is refused: {str(error).replace('.__init__()', '')}") from None


def _literal(node: ast.expr) -> Any:
    try:
        return _evaluated(node)
    except (ArithmeticError, TypeError, ValueError) as error:  # 1 // 0, a key that cannot be hashed
        raise _refused(node, f"cannot be evaluated: {error}") from None


def _evaluated(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(map(_literal, items))
        case ast.List(elts=items):
            return list(map(_literal, items))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_literal(key): _literal(value) for key, value in zip(filter(None, keys), values, strict=True)}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(left), _number(right))
        case ast.Call() if _called(node) in _NESTED:
            return _made(_NESTED[_called(node)], node)
    raise _refused(node, "is no literal and no integer arithmetic")


def _refused(node: ast.expr, reason: str) -> InvalidCard:
    return InvalidCard(f"CARD cannot be read: {ast.unparse(node)[:60]!r} (line {node.lineno}) {reason}.")


def _number(node: ast.expr) -> Any:
    value = _literal(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refused(node, "is no number, and arithmetic goes with numbers")
    return value


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == name]
    return found[-1] if found else None


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets) and node.value:
                return node.value
    return None


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
    helps = _argument_lines(ast.get_docstring(function) or "") if helps is None else helps
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
            else _read_annotation(argument.annotation, argument.arg)
        )
        options[argument.arg] = _option(argument.arg, accepted, value, helps, ranges)
    if arguments.kwarg is not None:
        options |= {name: option for name, option in BASE_OPTIONS.items() if name not in options}
    _check_ranges(ranges, options)
    return options, tuple(argument.arg for argument, _ in pairs)


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
        return _literal(node)
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


def _read_annotation(node: ast.expr | None, name: str) -> Type:
    match node:
        case ast.Constant(value=None) | ast.Name(id="NoneType"):
            return Type(nullable=True)
        case ast.Constant(value=str() as text) if (inner := _expression(text)) is not None:
            return _read_annotation(inner, name)
        case ast.Name(id=word) if word in _SCALARS:
            return Type((_SCALARS[word],))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _read_annotation(left, name) | _read_annotation(right, name)
        case ast.Subscript(value=ast.Name(id=word) | ast.Attribute(attr=word), slice=inner) if word in _UNIONS:
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return reduce(operator.or_, (_read_annotation(each, name) for each in members), _UNIONS[word])
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=choices):
            items = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            values = tuple(map(_literal, items))
            return Type(choices=tuple(value for value in values if value is not None), nullable=None in values)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=end)])) if (
            end is ...
        ):
            return Type(item=_read_annotation(item, name))
    stated = "that text" if node is None else repr(ast.unparse(node))
    raise InvalidCard(
        f"The option {name!r} cannot be annotated {stated}: "
        "use int, float, bool, str, Literal[...], tuple[T, ...], and | None."
    )


def _argument_lines(doc: str) -> dict[str, str]:
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
