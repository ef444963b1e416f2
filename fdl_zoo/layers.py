"""Layers of values, weakest first, merged into one, each value with its origin."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fdl_zoo.card import Recipe
from fdl_zoo.errors import InvalidSpec
from fdl_zoo.spec import RunSpec, nested, read_config, set_path

REFERENCES = ("model", "data", "optimizer")


@dataclass(frozen=True)
class Layer:
    """Values from one origin.

    Args:
        origin: Where they come from, as `--explain` prints it.
        values: Nested values. `callbacks` may be a list, which replaces weaker ones, or a mapping by name, which adds.
    """

    origin: str
    values: Mapping[str, Any]


@dataclass
class Merge:
    """Layers laid over each other, weakest first, with the origin of each value."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lay(self, layer: Layer) -> None:
        """Put a layer over those that are there.

        Raises:
            InvalidSpec: A key is unknown or a reference malformed.
        """
        for key, value in layer.values.items():
            if key not in RunSpec.model_fields:
                raise InvalidSpec(unknown_key(key, RunSpec.model_fields, layer.origin))
            if key in REFERENCES:
                self._lay_reference(key, reference(key, value), layer.origin)
            elif key == "callbacks":
                self._lay_callbacks(value, layer.origin)
            else:
                weaker = self.values.get(key)
                if isinstance(value, Mapping) and isinstance(weaker, Mapping):
                    self.values[key] = {**weaker, **value}
                else:
                    self._forget(key)
                    self.values[key] = value
                self._mark(key, value, layer.origin)

    def _lay_reference(self, key: str, given: dict[str, Any], origin: str) -> None:
        """A stronger layer that changes a name discards the weaker layers' options, and says so."""
        weaker = self.values.get(key, {})
        if "name" in given and "name" in weaker and given["name"] != weaker["name"]:
            options = ", ".join(f"{name}={value}" for name, value in weaker.items() if name != "name")
            if options:
                self.notes.append(
                    f"{key} is {given['name']} ({origin}): options of {weaker['name']} ({options}) do not apply."
                )
            self._forget(key)
            weaker = {}
        self.values[key] = {**weaker, **given}
        self._mark(key, given, origin)

    def _lay_callbacks(self, value: Any, origin: str) -> None:
        if isinstance(value, Mapping):
            known = self.values.setdefault("callbacks", {})
            added = [_with_options(name, options) for name, options in value.items()]
        elif isinstance(value, (list, tuple)):
            self._forget("callbacks")
            known = self.values["callbacks"] = {}
            self.origins["callbacks"] = origin
            added = [_named(reference("callbacks", each)) for each in value]
        else:
            raise InvalidSpec(f"callbacks cannot be {value!r} ({origin}): give a list of names.")
        for each in added:
            name = each.pop("name")
            known[name] = {**known.get(name, {}), **each}
            self.origins.setdefault(f"callbacks.{name}.name", origin)
            self._mark(f"callbacks.{name}", each, origin)

    def _mark(self, path: str, value: Any, origin: str) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                self._mark(f"{path}.{key}", inner, origin)
        else:
            self.origins[path] = origin

    def _forget(self, path: str) -> None:
        for known in [each for each in self.origins if each == path or each.startswith(path + ".")]:
            del self.origins[known]


def reference(key: str, value: Any) -> dict[str, Any]:
    """A reference as a mapping with `name`; options alone are a mapping without it.

    Raises:
        InvalidSpec: It is neither text nor a mapping.
    """
    if isinstance(value, str) and value:
        return {"name": value}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise InvalidSpec(f"{key} cannot be {value!r}: give a name, or a mapping of name and options.")


def _with_options(name: str, options: Any) -> dict[str, Any]:
    if options is not None and not isinstance(options, Mapping):
        raise InvalidSpec(
            f"callbacks.{name} cannot be {options!r}: give its options, as callbacks.{name}.OPTION=VALUE."
        )
    return reference("callbacks", {**(options or {}), "name": name})


def _named(callback: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(callback.get("name"), str):
        raise InvalidSpec(f"callbacks cannot hold {callback!r}: give a name, or a mapping of name and options.")
    return callback


def unknown_key(key: Any, known: Iterable[str], origin: str) -> str:
    """The sentence for a key that a specification does not have."""
    close = get_close_matches(str(key), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"the keys are {', '.join(known)}."
    return f"A run has no key {key!r} ({origin}): {hint}"


def recipe_values(recipe: Recipe | None) -> dict[str, Any]:
    """What a recipe says, as the values of a layer."""
    if recipe is None:
        return {}
    stated = {
        "optimizer": recipe.optimizer,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "callbacks": None if recipe.callbacks is None else list(recipe.callbacks),
        "steps_per_epoch": recipe.steps_per_epoch,
        "drop_remainder": recipe.drop_remainder,
        "model": recipe.model,
        "data": recipe.data,
    }
    return {key: value for key, value in stated.items() if value is not None}


def make_layers(
    model: Any = None,
    data: Any = None,
    optimizer: Any = None,
    learning_rate: float | None = None,
    callbacks: Iterable[Any] | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
    origin: str = "given",
) -> list[Layer]:
    """The user's layers, weakest first: the file, what was given by keyword or flag, the settings."""
    for key, given in {"model": model, "data": data, "optimizer": optimizer}.items():
        if given is not None and not isinstance(given, (str, Mapping)):
            raise InvalidSpec(
                f"{key} cannot be {type(given).__name__!r}: give a name, so that it is made inside the strategy's scope"
                " and the run can be repeated."
            )
    given = {"model": model, "data": data, "optimizer": optimizer, **(values or {})}
    layers = [] if config is None else [Layer(str(config), read_config(config))]
    layers.append(Layer(origin, {key: value for key, value in given.items() if value is not None}))
    if learning_rate is not None:
        layers.append(Layer(origin, {"optimizer": {"learning_rate": learning_rate}}))
    for callback in [callbacks] if isinstance(callbacks, (str, Mapping)) else callbacks or ():
        named = _named(reference("callbacks", callback))
        layers.append(Layer(origin, {"callbacks": {named.pop("name"): named}}))
    settings = [settings] if isinstance(settings, str) else settings
    return layers + [Layer("--set", set_path(text)) for text in settings]


def value_layers(origin: str, values: Mapping[str, Any]) -> list[Layer]:
    """A layer per value by its dotted path; names come before the options that belong to them."""
    ordered = sorted(values.items(), key=lambda pair: pair[0].count("."))
    return [Layer(origin, nested(path, value)) for path, value in ordered]
