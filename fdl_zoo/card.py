"""Card, Recipe, Reference, Weights and Variant: the facts that an entry states about itself.

A card stands at the top of an entry's file and is read from its source, so it holds literals only. Stated facts are
checked by the conformance kit: an untrue parameter count, or trained weights that do not give their metric, fail. A
reference result takes a training to check, and is held to by tests of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import Any

from fdl_zoo.errors import InvalidCard
from fdl_zoo.tasks import TASKS


@dataclass(frozen=True)
class Reference:
    """A result that a recipe reaches, and that a test holds it to.

    Args:
        metric: The metric's name as it is recorded, for example `"test_accuracy"`.
        value: What was measured.
        tolerance: How far a repetition may lie from `value`, above or below.
        command: The command that measured it.
    """

    metric: str
    value: float
    tolerance: float = 0.0
    command: str = ""


@dataclass(frozen=True)
class Recipe:
    """How an entry is trained on one dataset. What is None is left to weaker layers of the run specification.

    Args:
        optimizer: An optimizer's name, or a mapping of `name` and its options.
        batch_size: Examples per step, or `"full"` for the whole training split.
        epochs: Passes over the training split.
        callbacks: Names, or mappings of `name` and options.
        steps_per_epoch: Evaluations per epoch where the batch is full.
        drop_remainder: Whether the last, smaller batch is left out.
        model: Options of the model that this dataset calls for.
        data: Options of the dataset that this model calls for.
        reference: The result it reaches.
    """

    optimizer: str | Mapping[str, Any] | None = None
    batch_size: int | str | None = None
    epochs: int | None = None
    callbacks: tuple[Any, ...] | None = None
    steps_per_epoch: int | None = None
    drop_remainder: bool | None = None
    model: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None
    reference: Reference | None = None

    def __post_init__(self) -> None:
        if self.callbacks is not None and not isinstance(self.callbacks, (tuple, list)):
            raise InvalidCard(f"A recipe's callbacks cannot be {self.callbacks!r}: write a tuple of names.")
        for stated in ([] if self.optimizer is None else [self.optimizer]) + list(self.callbacks or ()):
            if not isinstance(stated.get("name") if isinstance(stated, Mapping) else stated, str):
                raise InvalidCard(f"A recipe cannot name {stated!r}: write a name, or a mapping of name and options.")


@dataclass(frozen=True)
class Weights:
    """Trained weights that come with an entry, and what they reach.

    Args:
        file: A `.weights.h5` file of Keras, relative to the folder of the entry's module.
        sha256: The digest of the file; empty until `python -m fdl_zoo.testing.weights` has made it.
        metric: The metric's name as it is recorded, for example `"test_accuracy"`.
        value: What the weights give, to four digits.
        command: The command that trained them.
    """

    file: str
    sha256: str
    metric: str
    value: float
    command: str

    def __post_init__(self) -> None:
        path = PurePosixPath(str(self.file))
        if path.is_absolute() or ".." in path.parts or not path.name.endswith(".weights.h5"):
            raise InvalidCard(
                f"Weights cannot lie in {self.file!r}: name a .weights.h5 file below the folder of the entry's module."
            )
        if self.sha256 and not re.fullmatch("[0-9a-f]{64}", str(self.sha256)):
            raise InvalidCard(f"The digest of weights cannot be {self.sha256!r}: write the SHA-256 of {self.file}.")
        for name in ("metric", "command"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise InvalidCard(f"The {name} of weights cannot be {getattr(self, name)!r}: write it as text.")
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise InvalidCard(f"The value of weights cannot be {self.value!r}: write what {self.metric} is.")


@dataclass(frozen=True)
class Variant:
    """A further registered name of the same file: options, and the facts in which it differs from the card.

    Args:
        options: Options of `build` and their values.
        summary: The line that the catalogue prints; by default the file's own.
        input_shape: Replaces the card's.
        num_outputs: Replaces the card's.
        num_params: The variant's own parameter count; never inherited.
        recipes: Replaces the card's, which are inherited without their references.
        weights: The variant's own trained weights; never inherited.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    input_shape: tuple[int, ...] | None = None
    num_outputs: int | None = None
    num_params: int | None = None
    recipes: Mapping[str, Recipe] | None = None
    weights: Mapping[str, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_weights(self.weights)


@dataclass(frozen=True, kw_only=True)
class Card:
    """The facts of one entry. All are optional; each stated one is checked.

    Args:
        task: One of `tasks.TASKS`, or several: what a model can be trained for, or what a dataset asks.
        chapter: The chapter of the book.
        citation: The paper or page it comes from.
        input_shape: Shape of one example, without the batch axis, for which `num_params` is stated.
        num_outputs: Number of logits or values per example, for which `num_params` is stated.
        num_params: Number of weights, trainable or not, at `input_shape` and `num_outputs`.
        tags: Words to filter by.
        aliases: Further names to be found under.
        capabilities: What rules and filters use: `full_batch`, `sequence`, `random_objective`, ...
        variants: A further registered name to options of this file, or to a `Variant`.
        ranges: An option's accepted interval: `"[0, 1)"`, or a pair of closed bounds of which None is no bound.
        source: Where data come from, for example `"tfds:mnist:3.0.1"`.
        recipes: A dataset's name (or `"*"` for any) to a `Recipe`; the first is the default.
        weights: A dataset's name to the `Weights` that were trained on it and come with the entry.
    """

    task: str | tuple[str, ...] | None = None
    chapter: int | None = None
    citation: str = ""
    input_shape: tuple[int, ...] | None = None
    num_outputs: int | None = None
    num_params: int | None = None
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any] | Variant] = field(default_factory=dict)
    ranges: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    weights: Mapping[str, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, accepted in _ACCEPTED.items():
            value = getattr(self, name)
            if not isinstance(value, accepted) or isinstance(value, bool):
                kinds = " or ".join("None" if kind is type(None) else kind.__name__ for kind in accepted)
                raise InvalidCard(f"A card's {name} cannot be {value!r}: it is a {kinds}.")
        for name, accepted in _ITEMS.items():
            for item in getattr(self, name) or ():
                if not isinstance(item, accepted) or isinstance(item, bool):
                    kind = getattr(accepted, "__name__", accepted)
                    raise InvalidCard(f"A card's {name} cannot hold {item!r}: each is {kind}.")
        for task in self.tasks:
            if task not in TASKS:
                raise InvalidCard(f"A card's task cannot be {task!r}: it is one of {', '.join(TASKS)}.")
        for dataset, recipe in self.recipes.items():
            if not isinstance(recipe, Recipe):
                raise InvalidCard(f"The recipe for {dataset!r} cannot be {recipe!r}: write Recipe(...).")
        _check_weights(self.weights)
        for name, stated in self.variants.items():
            if not isinstance(stated, (Mapping, Variant)):
                raise InvalidCard(f"The variant {name!r} cannot be {stated!r}: write its options or Variant(...).")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task or tasks as a tuple; empty where the card states none."""
        if self.task is None:
            return ()
        return (self.task,) if isinstance(self.task, str) else tuple(self.task)

    def variant(self, name: str) -> "Card":
        """The card of one of its variants: the variant's own facts over this card's."""
        stated = self.variants[name]
        own = stated if isinstance(stated, Variant) else Variant(stated)
        return replace(
            self,
            num_params=own.num_params,
            input_shape=own.input_shape or self.input_shape,
            num_outputs=own.num_outputs or self.num_outputs,
            recipes=_unmeasured(self.recipes) if own.recipes is None else own.recipes,
            weights=own.weights,
            variants={},
            aliases=(),
        )

    def variant_options(self, name: str) -> dict[str, Any]:
        """The options that make one of its variants."""
        stated = self.variants[name]
        return dict(stated.options if isinstance(stated, Variant) else stated)

    def recipe(self, dataset: str | None = None) -> Recipe | None:
        """The recipe for a dataset, or the default one; None where the card has none."""
        if dataset is None:
            return next(iter(self.recipes.values()), None)
        return self.recipes.get(dataset, self.recipes.get("*"))


def _unmeasured(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Recipes that a variant inherits: their references were measured on another model."""
    return {dataset: replace(recipe, reference=None) for dataset, recipe in recipes.items()}


def _check_weights(weights: Any) -> None:
    """Raise InvalidCard unless every value is `Weights(...)`."""
    if not isinstance(weights, Mapping):
        raise InvalidCard(f"The weights cannot be {weights!r}: map a dataset's name to Weights(...).")
    for dataset, stated in weights.items():
        if not isinstance(stated, Weights):
            raise InvalidCard(f"The weights for {dataset!r} cannot be {stated!r}: write Weights(...).")


_NONE = type(None)
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "task": (str, tuple, _NONE),
    "chapter": (int, _NONE),
    "citation": (str,),
    "input_shape": (tuple, _NONE),
    "num_outputs": (int, _NONE),
    "num_params": (int, _NONE),
    "tags": (tuple,),
    "aliases": (tuple,),
    "capabilities": (tuple,),
    "variants": (dict,),
    "ranges": (dict,),
    "source": (str,),
    "recipes": (dict,),
    "weights": (dict,),
}
_ITEMS: dict[str, Any] = {  # what a tuple holds, and the keys of a mapping
    "input_shape": int | None,
    "tags": str,
    "aliases": str,
    "capabilities": str,
    "variants": str,
    "ranges": str,
    "recipes": str,
    "weights": str,
}
CARD_FIELDS = tuple(each.name for each in fields(Card))
