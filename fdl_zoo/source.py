"""A card and a signature read from source, without importing it: what makes a listing fast and harmless."""

import ast
import inspect
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fdl_zoo.card import Card
from fdl_zoo.errors import InvalidCard
from fdl_zoo.literal import called, made
from fdl_zoo.option import Option
from fdl_zoo.signature import BASE_OPTIONS, argument_lines, read_live_signature, read_signature

_PARSING = threading.Lock()  # the filters of warnings belong to the whole process


@dataclass(frozen=True)
class EntrySource:
    """What an entry's file says: its docstring, its card and the options of its factory.

    Args:
        doc: The module's docstring (of a class: the class's).
        card: The card; an empty one where the file has none.
        options: The options by name, in order.
        parameters: All parameters of the factory, `input_shape` and `context` included; `**` marks one that takes all.
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
    options, parameters = read_signature(init, {}, argument_lines(doc))
    options.pop("name", None)
    options |= {
        name: replace(BASE_OPTIONS[name], default=options[name].default) for name in BASE_OPTIONS.keys() & options
    }
    return EntrySource(doc, Card(), options, parameters)


def read_callable(function: Callable[..., Any], card: Card) -> EntrySource:
    """The same facts of a live function: how a notebook's decorator registers one."""
    options, parameters = read_live_signature(function, card.ranges)
    return EntrySource(inspect.getdoc(function) or "", card, options, parameters)


def read_card(node: ast.expr) -> Card:
    """A `Card(...)` of literals, integer arithmetic and nested recipes, references and variants.

    Raises:
        InvalidCard: Anything else stands there.
    """
    if not isinstance(node, ast.Call) or called(node) != "Card" or node.args:
        raise InvalidCard("CARD cannot be read: write CARD = Card(...) with keyword arguments.")
    card: Card = made(Card, node)
    return card


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
