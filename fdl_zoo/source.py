"""A card and a signature read from source, without importing it: what makes a listing fast and harmless."""

import ast
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fdl_zoo.card import Card, Recipe, Reference, Variant
from fdl_zoo.errors import InvalidCard
from fdl_zoo.option import REQUIRED, Interval, Option, Type

_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_NESTED: dict[str, type] = {"Recipe": Recipe, "Reference": Reference, "Variant": Variant}
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
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return EntrySource(problem=f"{path.name} cannot be read: {error}.")
    doc = ast.get_docstring(tree) or ""
    try:
        return _read_tree(tree, doc, attribute, path.name)
    except InvalidCard as error:
        return EntrySource(doc=doc, problem=str(error))


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
        if parameter.kind is parameter.VAR_KEYWORD:
            options.update(BASE_OPTIONS)
        elif parameter.name not in _NOT_OPTIONS:
            annotation = parameter.annotation
            text = (
                annotation.__name__
                if isinstance(annotation, type) and not hasattr(annotation, "__args__")
                else str(annotation)
            )
            accepted = Type() if annotation is parameter.empty else _read_annotation(_expression(text), parameter.name)
            default = REQUIRED if parameter.default is parameter.empty else parameter.default
            options[parameter.name] = _option(parameter.name, accepted, default, helps, card.ranges)
    doc = inspect.getdoc(function) or ""
    return EntrySource(doc, card, options, tuple(signature.parameters))


def read_card(node: ast.expr) -> Card:
    """A `Card(...)` of literals, integer arithmetic and nested recipes, references and variants.

    Raises:
        InvalidCard: Anything else stands there.
    """
    if not isinstance(node, ast.Call) or _called(node) != "Card" or node.args:
        raise InvalidCard("CARD cannot be read: write CARD = Card(...) with keyword arguments.")
    try:
        return Card(**{str(each.arg): _literal(each.value) for each in node.keywords})
    except TypeError as error:
        raise InvalidCard(f"CARD cannot be read: {error}.") from None


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(map(_literal, items))
        case ast.List(elts=items):
            return list(map(_literal, items))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_literal(key): _literal(value) for key, value in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(left), _number(right))
        case ast.Call() if _called(node) in _NESTED:
            keywords = {str(each.arg): _literal(each.value) for each in node.keywords}
            return _NESTED[_called(node)](*map(_literal, node.args), **keywords)
    line = getattr(node, "lineno", 0)
    raise InvalidCard(
        f"CARD cannot be read: {ast.unparse(node)[:60]!r} (line {line}) is no literal and no integer arithmetic."
    )


def _number(node: ast.expr) -> Any:
    value = _literal(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidCard(f"CARD cannot be read: arithmetic goes with numbers, not with {value!r}.")
    return value


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == name]
    return found[-1] if found else None


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
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
    for name in ranges:
        if name not in options:
            raise InvalidCard(
                f"CARD gives a range for {name!r}, which is no option: the options are {', '.join(options)}."
            )
    return options, tuple(argument.arg for argument, _ in pairs)


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


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _read_annotation(node: ast.expr, name: str) -> Type:
    match node:
        case ast.Constant(value=None):
            return Type(nullable=True)
        case ast.Constant(value=str() as text):
            return _read_annotation(_expression(text), name)
        case ast.Name(id=word) if word in _SCALARS:
            return Type((_SCALARS[word],))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _read_annotation(left, name) | _read_annotation(right, name)
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=choices):
            items = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            values = tuple(map(_literal, items))
            return Type(choices=tuple(value for value in values if value is not None), nullable=None in values)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=end)])) if (
            end is ...
        ):
            return Type(item=_read_annotation(item, name))
    raise InvalidCard(
        f"The option {name!r} cannot be annotated {ast.unparse(node)!r}: "
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
