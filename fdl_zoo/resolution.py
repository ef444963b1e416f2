"""From layers to one checked RunSpec: recipes laid under what the user says, names and options checked from source.

This is the first of the two phases: it knows cards and signatures and imports no TensorFlow; the second builds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fdl_zoo import availability, catalogue, rules
from fdl_zoo.card import Recipe
from fdl_zoo.entry import Entry, normalise
from fdl_zoo.errors import InvalidName, InvalidSpec, UnknownName
from fdl_zoo.layers import REFERENCES, Layer, Merge, recipe_values
from fdl_zoo.option import REQUIRED
from fdl_zoo.signature import BASE_OPTIONS
from fdl_zoo.spec import RunSpec, validated

DEFAULTS = Layer("default", {"optimizer": "adam"})
KINDS = {"model": "models", "data": "datasets", "optimizer": "optimizers", "callbacks": "callbacks"}


@dataclass(frozen=True)
class Resolved:
    """A specification, where each of its values comes from, and what the merging has to say.

    Args:
        spec: The checked specification, every option filled in.
        origins: An origin per dotted path.
        notes: Sentences for the user.
    """

    spec: RunSpec
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def explained(self) -> str:
        """The specification as YAML, each value with its origin in a comment; `--config` accepts it."""
        return "\n".join(self._explained(self.spec.as_dict(), "", ""))

    def _explained(self, values: Mapping[str, Any], indent: str, path: str) -> Iterator[str]:
        for key, value in values.items():
            here = f"{path}{key}"
            if isinstance(value, Mapping) and value:
                yield f"{indent}{key}:"
                yield from self._explained(value, indent + "  ", here + ".")
            elif key == "callbacks" and value:
                yield f"{indent}{key}:"
                for each in value:
                    lines = list(self._explained(each, indent + "  ", f"{here}.{each['name']}."))
                    yield from [f"{indent}- {lines[0].strip()}", *lines[1:]]
            else:
                style = '"' if isinstance(value, str) and len(value.splitlines()) > 1 else None  # one line each
                text = yaml.safe_dump(value, default_style=style, default_flow_style=True, width=10**6)
                text = text.removesuffix("...\n").strip()
                yield f"{indent}{key}: {text}  # {self.origins.get(here, 'default')}"


def resolve(layers: Iterable[Layer], data_dir: str | None = None) -> Resolved:
    """Merge the user's layers over defaults and recipes, check everything that can be checked, fill in defaults.

    Args:
        layers: The user's layers, weakest first: configuration file, flags, `--set`.
        data_dir: Handed to a dataset that has the option `data_dir`.

    Raises:
        ZooError: A name, key, option or value is wrong, or parts do not go together.
    """
    given = [_canonical(_with_members(_with_paths(layer))) for layer in layers]
    names = _named(given)
    model, data = names["model"], names["data"]
    recipe = _recipe(model, data)
    if "optimizer" in names:
        optimizer = names["optimizer"]
    else:
        chosen = (recipe and recipe.optimizer) or DEFAULTS.values["optimizer"]
        optimizer = catalogue.optimizers.find(chosen if isinstance(chosen, str) else chosen["name"])
    merge = Merge()
    merge.lay(DEFAULTS)
    merge.lay(Layer(f"recipe of {model.name}", {"data": data.name}))
    merge.lay(_canonical(Layer(f"recipe of {model.name}", recipe_values(recipe))))
    merge.lay(_canonical(Layer(f"recipe of {optimizer.name}", recipe_values(_recipe(optimizer, data)))))
    for layer in given:
        merge.lay(layer)
    if data_dir is not None:
        _lay_data_dir(merge, data, data_dir)
    _fill(merge)
    if "family" in data.card.capabilities:
        _pin(merge)
    _say_full_batch(merge, optimizer)
    spec = validated(merge.values, merge.origins)
    rules.check(spec, merge.origins)
    return Resolved(spec, merge.origins, tuple(merge.notes))


def _named(layers: list[Layer]) -> dict[str, Entry]:
    """The entries that the user's layers name; model and data must be there or follow from a recipe."""
    merge = Merge()
    for layer in layers:
        merge.lay(layer)
    names = {
        key: merge.values[key]["name"] for key in ("model", "data", "optimizer") if "name" in merge.values.get(key, {})
    }
    if "model" not in names:
        raise InvalidSpec("A run needs a model: name one, or give a file that does (`fdl list models` shows all).")
    found = {key: catalogue.registry(KINDS[key]).find(name) for key, name in names.items()}
    if "data" not in found:
        default = next((name for name in found["model"].card.recipes if name != "*"), None)
        if default is None:
            raise InvalidSpec(f"{found['model'].name} has no recipe, so a dataset must be named: --data digits.")
        found["data"] = catalogue.datasets.find(default)
    return found


def _with_paths(layer: Layer) -> Layer:
    """An existing path given as data chooses `folder`, `csv` or `npz`."""
    data = layer.values.get("data")
    if not isinstance(data, str) or ("/" not in data and not Path(data).suffix):
        return layer
    if not Path(data).exists():
        if Path(data).suffix in (".csv", ".npz") or data.startswith((".", "/", "~")):
            raise InvalidSpec(f"The data {data!r} cannot be read: there is no such file or folder.")
        return layer  # a plugin's name has a slash too
    kind = "folder" if Path(data).is_dir() else Path(data).suffix.lstrip(".").lower()
    if kind not in ("folder", "csv", "npz"):
        raise InvalidSpec(f"The data {data!r} cannot be read: give a folder of images, a .csv or a .npz file.")
    return Layer(layer.origin, {**layer.values, "data": {"name": kind, "path": data}})


def _with_members(layer: Layer) -> Layer:
    """`tfds/mnist` given as data is the dataset `tfds` with an option that says which set."""
    data = layer.values.get("data")
    name = data.get("name") if isinstance(data, Mapping) else data
    family = catalogue.datasets.member(name) if isinstance(name, str) else None
    if family is None:
        return layer
    options = dict(data) if isinstance(data, Mapping) else {}
    return Layer(layer.origin, {**layer.values, "data": {**options, "name": family[0].name, **family[1]}})


def _canonical(layer: Layer) -> Layer:
    """The layer with every entry under its own name: an alias or another spelling is no change of name."""
    values = dict(layer.values)
    for key in REFERENCES:
        if key in values:
            values[key] = _renamed(key, values[key])
    callbacks = values.get("callbacks")
    if isinstance(callbacks, Mapping):
        values["callbacks"] = {_own_name("callbacks", name): options for name, options in callbacks.items()}
    elif isinstance(callbacks, (list, tuple)):
        values["callbacks"] = [_renamed("callbacks", each) for each in callbacks]
    return Layer(layer.origin, values)


def _renamed(key: str, value: Any) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        return {**value, "name": _own_name(key, value["name"])}
    return _own_name(key, value) if isinstance(value, str) else value


def _own_name(key: str, name: Any) -> Any:
    try:
        return catalogue.registry(KINDS[key]).find(name).name
    except (UnknownName, InvalidName):  # refused when it is used, unless a stronger layer names another
        return name


def _recipe(entry: Entry, data: Entry) -> Recipe | None:
    """An entry's recipe for a dataset: by its full or short name, else the one for any."""
    for name in (data.name, data.short_name):
        for known, recipe in entry.card.recipes.items():
            if normalise(known) == normalise(name):
                return recipe
    return entry.card.recipes.get("*")


def _lay_data_dir(merge: Merge, data: Entry, data_dir: str) -> None:
    if "data_dir" in data.options:
        merge.lay(Layer("--data-dir", {"data": {"data_dir": data_dir}}))
    else:
        merge.notes.append(f"--data-dir is not used: {data.name} needs no prepared files.")


def _say_full_batch(merge: Merge, optimizer: Entry) -> None:
    """A full-batch optimizer replaces the batch size that a reader of the model's card expects."""
    origin = merge.origins.get("batch_size")
    if merge.values.get("batch_size") == "full" and origin == f"recipe of {optimizer.name}":
        merge.notes.append(f"batch_size is full ({origin}): each step evaluates the whole training split.")


def _pin(merge: Merge) -> None:
    """Name the version of a prepared set, so that the run means the same when a newer one is there."""
    options = merge.values["data"]
    source = availability.pinned(f"tfds:{options['source']}", options.get("data_dir"))
    options["source"] = source.removeprefix("tfds:")


def _fill(merge: Merge) -> None:
    """Put full names, checked options and defaults into the merged values."""
    for key in ("model", "data", "optimizer"):
        merge.values[key] = _filled(key, key, merge.values[key], merge)
    callbacks = merge.values.get("callbacks", {})
    merge.values["callbacks"] = [
        _filled("callbacks", f"callbacks.{name}", {"name": name, **options}, merge)
        for name, options in callbacks.items()
    ]


def _filled(key: str, path: str, given: Mapping[str, Any], merge: Merge) -> dict[str, Any]:
    registry = catalogue.registry(KINDS[key])
    entry = registry.find(given["name"])
    options = registry.check(entry, {name: value for name, value in given.items() if name != "name"})
    defaults = {
        name: option.default
        for name, option in entry.options.items()
        if name not in BASE_OPTIONS and option.default is not REQUIRED
    }
    for name in defaults.keys() - options.keys():
        merge.origins.setdefault(f"{path}.{name}", "default")
    return {"name": entry.name, **{name: _plain(value) for name, value in {**defaults, **options}.items()}}


def _plain(value: Any) -> Any:
    """Tuples as lists, so that a specification equals the one that is read back from its YAML."""
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InvalidSpec(f"A run's option cannot be {value!r}: give a plain value, so that the run can be repeated.")
