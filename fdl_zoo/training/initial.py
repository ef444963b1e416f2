"""What a run starts from: a card's trained weights, another run or a file; and which layers stay as they are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fdl_zoo import catalogue, weights
from fdl_zoo.entry import normalise
from fdl_zoo.errors import InvalidData, InvalidOption, InvalidSpec, UnknownName
from fdl_zoo.layers import Layer
from fdl_zoo.resolution import Resolved
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.folder import ROOT, find_folder


@dataclass(frozen=True)
class Initial:
    """Weights to start from.

    Args:
        given: As the specification names them: a dataset of the card, a run's full name, or a file.
        kind: `card`, `run` or `file`.
        path: The file that they lie in.
    """

    given: str
    kind: str
    path: Path

    def load(self, model: Any) -> weights.Loaded:
        """Put them into a model that is not compiled yet; see `weights.load`."""
        return weights.load(model, self.path, self.given)

    def seen_before(self, spec: RunSpec) -> str:
        """What to say where other splits than a card's weights were trained on would flatter the test result."""
        entry = catalogue.datasets.find(spec.data.name)
        seed, given = entry.options.get("seed"), spec.data.options.get("seed")
        same_data = normalise(self.given) in (normalise(entry.name), normalise(entry.short_name))
        if self.kind != "card" or not same_data or seed is None or given == seed.default:
            return ""
        return (
            f"the weights {self.given} were trained on the splits of data.seed={seed.default}: with {given} they have"
            " seen most of the test split"
        )


def settle(resolved: Resolved, root: str | Path = ROOT) -> tuple[Resolved, Initial | None]:
    """Find what `init_from` means: `last` becomes the run's name, so that the specification means the same tomorrow.

    Raises:
        InvalidSpec: It is neither weights of the card, nor a run, nor a file.
        InvalidData: The file is missing, or altered.
    """
    spec = resolved.spec
    if spec.init_from is None:
        return resolved, None
    initial = locate(spec.model.name, spec.init_from, root)
    return replace(resolved, spec=spec.model_copy(update={"init_from": initial.given})), initial


def name_last(layers: Iterable[Layer], root: str | Path = ROOT) -> list[Layer]:
    """The layers with the run that `init_from=last` means now: later on, a sweep's own runs are the last."""
    found = []
    for layer in layers:
        given = layer.values.get("init_from")
        name, at, checkpoint = given.partition("@") if isinstance(given, str) else ("", "", "")
        if name == "last":
            run = find_folder("last", Path(root))[0].name
            layer = Layer(layer.origin, {**layer.values, "init_from": f"{run}{at}{checkpoint}"})
        found.append(layer)
    return found


def digest(model: str, given: str, root: str | Path = ROOT) -> str:
    """SHA-256 of the file that `locate` finds."""
    return weights.digest(locate(model, given, root).path)


def locate(model: str, given: str, root: str | Path = ROOT) -> Initial:
    """The weights that a text names for a model: the card's first, then a file, then a run; see `settle`."""
    entry = catalogue.models.find(model)
    known = weights.stated(entry, given)
    if known is not None:
        return Initial(known[0], "card", weights.file_of(entry, given))
    if weights.names_a_file(given):
        return Initial(given, "file", weights.file_of(entry, given))
    try:
        folder, checkpoint = find_folder(given, Path(root))
    except UnknownName as error:
        raise InvalidSpec(
            f"init_from cannot be {given!r}, neither weights of {entry.name} ({weights.choices(entry)}) nor a file"
            f" nor a run: {error}"
        ) from None
    path = folder.checkpoints / f"{checkpoint}.keras"
    if not path.is_file():
        raise InvalidData(f"The weights of the run {folder.name} cannot be loaded: it has no checkpoint {checkpoint}.")
    return Initial(folder.name + ("" if checkpoint == "last" else f"@{checkpoint}"), "run", path)


def freeze(model: Any, patterns: Iterable[str]) -> list[str]:
    """Keep the layers whose names match a pattern from being trained; to be called before `compile`.

    Args:
        model: A `keras.Model`.
        patterns: Names or wildcards, such as `conv_*`.

    Returns:
        The names of the frozen layers, in the model's order.

    Raises:
        InvalidOption: A pattern matches no layer that has weights, or nothing is left to train.
    """
    layers = [layer for layer in model.layers if layer.weights]
    names = ", ".join(layer.name for layer in layers)
    frozen = []
    for pattern in patterns:
        matched = [layer for layer in layers if fnmatchcase(layer.name, pattern)]
        if not matched:
            raise InvalidOption(f"freeze cannot be {pattern!r}: the layers of {model.name} with weights are {names}.")
        frozen += matched
    for layer in frozen:
        layer.trainable = False
    if frozen and not model.trainable_weights:
        raise InvalidOption(
            f"freeze cannot be {', '.join(patterns)!r}: no weight would be left to train; leave one of {names} out."
        )
    return [layer.name for layer in layers if layer in frozen]
