"""Entry: one registered name: where it comes from, what its file says, and how its factory is imported."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fdl_zoo.card import Card
from fdl_zoo.errors import PluginError
from fdl_zoo.option import Option, convert_options
from fdl_zoo.source import EntrySource, read_callable, read_class, read_entry

RETURNS = {
    "models": "keras:Model",
    "optimizers": "keras.optimizers:Optimizer",
    "callbacks": "keras.callbacks:Callback",
    "datasets": "fdl_zoo.data:Dataset",
}
KINDS = tuple(RETURNS)


def normalise(name: str) -> str:
    """The form in which names are compared: case, `-` and `_` do not matter."""
    return name.strip().lower().replace("-", "_")


NAMING = "use letters, digits, - and _, and begin with a letter"


@dataclass(frozen=True)
class Failure:
    """What went wrong with a plugin, as data.

    Args:
        distribution: Whose plugin it is.
        version: Its version.
        entry: The entry's name, or empty where the whole distribution is concerned.
        phase: `metadata`, `register`, `source`, `import` or `build`.
        message: The cause in one sentence.
        kind: The registry concerned.
    """

    distribution: str
    version: str
    entry: str
    phase: str
    message: str
    kind: str = ""

    def __str__(self) -> str:
        where = f"{self.distribution} {self.version}".strip() + (f", {self.entry}" if self.entry else "")
        return f"{where} ({self.phase}): {self.message}"


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Args:
        kind: `models`, `optimizers`, `callbacks` or `datasets`.
        name: The full name: bare for a built-in, `distribution/name` for a plugin's.
        target: `module:attribute` of its factory.
        distribution: Who brings it; `fdl_zoo`, `keras` and `notebook` for those without a plugin.
        version: The distribution's version.
        door: `built-in`, `installed`, `folder`, `keras` or `notebook`.
        path: The file that its facts are read from.
        search: A folder that must be importable for it (a plugin's folder).
        function: The live factory of a decorated entry.
        stated: The card of a decorated entry.
        variant_of: The entry whose variant this is.
    """

    kind: str
    name: str
    target: str
    distribution: str = "fdl_zoo"
    version: str = ""
    door: str = "built-in"
    path: Path | None = None
    search: Path | None = None
    function: Callable[..., Any] | None = field(default=None, compare=False)
    stated: Card | None = field(default=None, compare=False)
    variant_of: "Entry | None" = None

    @property
    def short_name(self) -> str:
        """The name without its distribution."""
        return self.name.rpartition("/")[2]

    @cached_property
    def source(self) -> EntrySource:
        """What its file says, read once."""
        if self.variant_of:
            return self.variant_of.source
        if self.function is not None:
            return read_callable(self.function, self.stated or Card())
        if self.path is None:
            module = self.target.partition(":")[0]
            return EntrySource(problem=f"the source of module {module!r} was not found.")
        attribute = self.target.partition(":")[2]
        return read_class(self.path, attribute) if self.door == "keras" else read_entry(self.path, attribute)

    @cached_property
    def card(self) -> Card:
        """Its card; an empty one where the file has none."""
        return self.source.card.variant(self.short_name) if self.variant_of else self.source.card

    @property
    def fixed(self) -> dict[str, Any]:
        """The options that make a variant what it is; empty for other entries."""
        return self.source.card.variant_options(self.short_name) if self.variant_of else {}

    @cached_property
    def options(self) -> Mapping[str, Option]:
        """Its options by name; a variant's have the variant's values as defaults."""
        own = dict(self.source.options)
        for name, value in convert_options(own, self.fixed, self.name).items():
            own[name] = replace(own[name], default=value)
        return own

    @property
    def summary(self) -> str:
        """The line that the catalogue prints."""
        if self.variant_of:
            stated = self.source.card.variants[self.short_name]
            options = ", ".join(f"{name}={value}" for name, value in self.fixed.items())
            return getattr(stated, "summary", "") or f"{self.variant_of.short_name} with {options}."
        return self.source.summary

    @property
    def folder(self) -> Path:
        """The folder of its module, in which its weights lie; the working directory for a notebook's cell."""
        if self.path is not None:
            return self.path.parent
        code = getattr(self.function, "__code__", None)
        file = Path(code.co_filename) if code else Path()
        return file.parent if file.is_file() else Path()

    def variants(self) -> list["Entry"]:
        """The further names that its card registers."""
        prefix = self.name[: len(self.name) - len(self.short_name)]
        return [
            Entry(
                self.kind,
                prefix + name,
                self.target,
                self.distribution,
                self.version,
                self.door,
                self.path,
                self.search,
                self.function,
                self.stated,
                variant_of=self,
            )
            for name in self.source.card.variants
        ]

    def load(self) -> Callable[..., Any]:
        """Import the factory; the module of a folder's plugin must be the folder's own."""
        if self.function is not None:
            return self.function
        module_name, _, attribute = self.target.partition(":")
        if self.search is not None and str(self.search) not in sys.path:
            sys.path.append(str(self.search))
        module = importlib.import_module(module_name)
        if (
            self.search is not None
            and self.path is not None
            and Path(module.__file__ or "").resolve() != self.path.resolve()
        ):
            raise PluginError(
                f"{self.name} cannot be loaded from {self.path}: {module_name!r} is already at {module.__file__};"
                " rename one of them."
            )
        factory: Callable[..., Any] = getattr(module, attribute)
        return factory

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        card = self.card
        return {
            "kind": self.kind,
            "name": self.name,
            "summary": self.summary,
            "task": list(card.tasks),
            "chapter": card.chapter,
            "num_params": card.num_params,
            "input_shape": list(card.input_shape) if card.input_shape else None,
            "num_outputs": card.num_outputs,
            "citation": card.citation,
            "tags": list(card.tags),
            "aliases": list(card.aliases),
            "capabilities": list(card.capabilities),
            "source": card.source,
            "recipes": list(card.recipes),
            "weights": {name: asdict(each) for name, each in card.weights.items()},
            "variants": list(card.variants),
            "variant_of": self.variant_of.name if self.variant_of else None,
            "origin": self.distribution,
            "version": self.version,
            "door": self.door,
            "target": self.target,
            "path": str(self.path) if self.path else None,
            "problem": self.source.problem or None,
        }


# What the import that is under way has registered so far, and what each registration replaced.
