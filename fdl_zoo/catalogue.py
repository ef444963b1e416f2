"""The four registries: models, optimizers, callbacks and datasets, and the public functions that reach them by name."""

import logging
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from fdl_zoo.card import Card
from fdl_zoo.discovery import Discovery, unreadable
from fdl_zoo.entry import KINDS, Entry, Failure
from fdl_zoo.errors import InvalidName, PluginError
from fdl_zoo.keras_source import keras_entries
from fdl_zoo.registry import Factory, Registry

discovery = Discovery()
models, optimizers, callbacks, datasets = (Registry(kind, discovery, discovery.absent, keras_entries) for kind in KINDS)
REGISTRIES = {registry.kind: registry for registry in (models, optimizers, callbacks, datasets)}


def registry(kind: str) -> Registry:
    """The registry of a kind, in the plural or the singular.

    Raises:
        InvalidName: There is no such kind.
    """
    for known in REGISTRIES.values():
        if kind in (known.kind, known.noun):
            return known
    close = get_close_matches(kind, REGISTRIES, n=1)
    hint = f"did you mean {close[0]}?" if close else f"the kinds are {', '.join(REGISTRIES)}."
    raise InvalidName(f"There is no kind {kind!r}: {hint}")


def refresh() -> None:
    """Look at all doors again: after an installation, or when the environment has changed."""
    discovery.refresh()
    for known in REGISTRIES.values():
        known.refresh()


def failures() -> list[Failure]:
    """What is known to be wrong with plugins; every file read, nothing imported, each cause once."""
    return list(dict.fromkeys(failure for known in REGISTRIES.values() for failure in known.failures()))


def require_healthy() -> None:
    """What `--strict` asks.

    Raises:
        PluginError: A plugin has a failure.
    """
    found = failures()
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise PluginError(f"--strict: {str(found[0]).rstrip('.')}{more}; `fdl plugins doctor` shows all.")


def require_readable() -> None:
    """Refuse what libraries would fail at without naming it, MLflow at the very end of a training.

    Raises:
        PluginError: The entry points of an installed distribution cannot be read.
    """
    found = unreadable()
    if found:
        raise PluginError(
            f"The entry points of an installed distribution cannot be read: {found[0]}; libraries that look for theirs"
            " among all, as MLflow does, fail at it: mend or uninstall it, or train with --no-tracking."
        )


def described(error: BaseException) -> str:
    """An unexpected error as `ValueError: its first line`, behind the plugin's entry through whose file it came."""
    cause = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    for plugin in discovery.plugins:
        for entry in plugin.entries:
            if str(entry.path) in files:
                noun = REGISTRIES[entry.kind].noun
                return f"The {noun} {entry.name} of {plugin.distribution} {plugin.version} failed: {cause}"
    return cause


def list_models(match: Any = None, **filters: Any) -> list[str]:
    """Names of the models that pass every filter; see `Registry.entries` for the filters."""
    return models.names(match, **filters)


def list_optimizers(match: Any = None, **filters: Any) -> list[str]:
    """Names of the optimizers that pass every filter; `origin="keras"` lists Keras's own."""
    return optimizers.names(match, **filters)


def list_callbacks(match: Any = None, **filters: Any) -> list[str]:
    """Names of the callbacks that pass every filter; `origin="keras"` lists Keras's own."""
    return callbacks.names(match, **filters)


def list_datasets(match: Any = None, **filters: Any) -> list[str]:
    """Names of the datasets that pass every filter."""
    return datasets.names(match, **filters)


def describe(kind: str, name: str) -> dict[str, Any]:
    """The card of an entry, its options and where it comes from, as plain values.

    Raises:
        UnknownName: There is no such entry.
    """
    entry = registry(kind).find(name)
    return {**entry.as_dict(), "doc": entry.source.doc, "options": [each.as_dict() for each in entry.options.values()]}


def create_model(name: str, /, *args: Any, weights: str | None = None, **options: Any) -> Any:
    """A `keras.Model` by name, from `input_shape`, `num_outputs` and its options; it outputs logits or values.

    Args:
        name: Its name.
        *args: `input_shape` and `num_outputs`, which may also be given by keyword.
        weights: A dataset for which the card has trained weights, or a `.weights.h5` or `.keras` file. The shape and
            options that belong to the card's weights are then the defaults. Where the number of outputs is another, the
            output layer stays fresh, and a warning is logged.
        **options: Its options.

    Raises:
        UnknownName: There is no such model.
        InvalidOption: An option is wrong, or there are no such weights.
        InvalidData: The weights are damaged, altered, or do not fit the model.
    """
    entry = models.find(name)
    if weights is None or "weights" in entry.options:  # a plugin's own option of this name comes first
        return models.build(name, *args, **options, **({} if weights is None else {"weights": weights}))
    from fdl_zoo import weights as trained  # the file is read with HDF5, which a listing does not need

    path = trained.file_of(entry, weights)
    known = trained.stated(entry, weights)
    if known:
        options = {**_trained_with(entry, known[0], len(args)), **options}
    model = models.build(name, *args, **options)
    loaded = trained.load(model, path, weights)
    if loaded.note:
        logging.getLogger(__name__).warning(loaded.note)
    return model


def _trained_with(entry: Entry, dataset: str, given: int) -> dict[str, Any]:
    """The shape and the options that the weights of a card were trained with, but not those given by position."""
    card, recipe = datasets.find(dataset).card, entry.card.recipe(dataset)
    shape = {"input_shape": card.input_shape, "num_outputs": card.num_outputs}
    stated = {key: value for key, value in list(shape.items())[given:] if value is not None}
    return {**stated, **dict((recipe and recipe.model) or {})}


def create_optimizer(name: str, /, **options: Any) -> Any:
    """A `keras.optimizers.Optimizer` by name. Create it inside the strategy's scope that it will serve in."""
    return optimizers.build(name, **options)


def create_callback(name: str, /, context: Any = None, **options: Any) -> Any:
    """A `keras.callbacks.Callback` by name; `context` is what the trainer gives it, None in plain Keras."""
    return callbacks.build(name, context=context, **options)


def load_dataset(name: str, /, **options: Any) -> Any:
    """A `Dataset` by name: train, validation and test, fixed by its seed and never overlapping."""
    return datasets.build(name, **options)


def register_model(name: str, card: Card | None = None) -> Callable[[Factory], Factory]:
    """Decorator: register a function `build(input_shape, num_outputs, *, ...)` as a model of this process."""
    return models.register(name, card)


def register_optimizer(name: str, card: Card | None = None) -> Callable[[Factory], Factory]:
    """Decorator: register a function `build(*, ...)` as an optimizer of this process."""
    return optimizers.register(name, card)


def register_callback(name: str, card: Card | None = None) -> Callable[[Factory], Factory]:
    """Decorator: register a function `build(*, ..., context=None)` as a callback of this process."""
    return callbacks.register(name, card)


def register_dataset(name: str, card: Card | None = None) -> Callable[[Factory], Factory]:
    """Decorator: register a function `build(*, ...)` as a dataset of this process."""
    return datasets.register(name, card)
