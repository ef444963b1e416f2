"""The laws of datasets: three splits that never overlap, fixed by a seed, whose values are what the card says."""

import hashlib
from collections.abc import Iterator

import numpy as np

from fdl_zoo.availability import is_prepared
from fdl_zoo.data import Dataset, Split
from fdl_zoo.tasks import TASKS
from fdl_zoo.testing.check import Check, Subject, law, require
from fdl_zoo.testing.facts import add_facts
from fdl_zoo.testing.variation import other_values

KIT: list[Check] = []
BLOCK = 4096  # examples read at a time
SEEDS = 5  # tries in which duplicates of the raw data may fall into one split by chance
add_facts(KIT, "datasets")


def _is_absent(subject: Subject) -> str:
    """Why a set cannot be built here: it is the user's own, or needs a network and is not prepared on this disk."""
    if "path" in subject.entry.options and not subject.given.get("path"):
        return f"{subject.name} reads the user's own files: give the check path=PATH."
    source = subject.entry.card.source
    if not source.startswith("tfds:") or is_prepared(source, subject.given.get("data_dir")):
        return ""
    return f"{subject.name} needs a network: {source} is not prepared on this disk."


def _lies_on_disk(subject: Subject) -> bool:
    return subject.entry.card.source.startswith("tfds:")


def blocks(split: Split) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A split's inputs and targets, a block at a time, so that what lies on disk need not fit into memory."""
    for start in range(0, len(split), BLOCK):
        yield split.take(np.arange(start, min(start + BLOCK, len(split))))


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def has_three_splits(subject: Subject) -> None:
    """None of train, validation and test is empty."""
    for name, split in subject.build().splits.items():
        require(len(split) > 0, f"its {name} split is empty.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def fits_its_card(subject: Subject) -> None:
    """Shape of an example, number of outputs and task are those of the card."""
    data, card = subject.build(), subject.entry.card
    for fact in ("input_shape", "num_outputs"):
        stated, found = getattr(card, fact), getattr(data, fact)
        require(stated in (None, found), f"the card says {fact}={stated}, and it has {found}.")
    require(data.task in (card.tasks or TASKS), f"the card says the task {card.task!r}, and it has {data.task!r}.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def has_the_shapes_of_its_task(subject: Subject) -> None:
    """Inputs are [examples, *input_shape] and targets what the task asks for, numbers of one type in every split."""
    data = subject.build()
    types = set()
    for name, split in data.splits.items():
        x, y = split.take(np.arange(min(8, len(split))))
        types.add((x.dtype, y.dtype))
        require(
            x.shape[1:] == tuple(data.input_shape), f"{name} inputs have shape {x.shape[1:]}, not {data.input_shape}."
        )
        require(x.dtype in (np.float32, np.float64, np.int32, np.int64), f"{name} inputs are {x.dtype}.")
        expected = _target_shapes(data)
        require(
            y.shape[1:] in expected, f"{name} targets have shape {y.shape[1:]}, not {' or '.join(map(str, expected))}."
        )
        whole = np.issubdtype(y.dtype, np.integer)
        require(whole or data.task != "classification", f"{name} class indices are {y.dtype}, not whole numbers.")
    require(len(types) == 1, f"its splits have different types: {types}.")


def _target_shapes(data: Dataset) -> list[tuple[int, ...]]:
    """Shapes of one target: an index, or a value per output."""
    one = [()] if data.task in ("classification", "binary") or data.num_outputs == 1 else []
    return one + ([] if data.task == "classification" else [(data.num_outputs,)])


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def has_values_in_range(subject: Subject) -> None:
    """Values are finite, class indices lie in [0, num_outputs), binary targets are 0 or 1."""
    data = subject.build()
    for name, split in data.splits.items():
        for x, y in blocks(split):
            require(bool(np.isfinite(x).all() and np.isfinite(y).all()), f"{name} has values that are not finite.")
            if data.task == "classification":
                inside = y.min() >= 0 and y.max() < data.num_outputs
                require(inside, f"{name} has class {y.min()} or {y.max()}, outside [0, {data.num_outputs}).")
            if data.task == "binary":
                require(bool(np.isin(y, (0, 1)).all()), f"{name} has targets other than 0 and 1.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def names_its_classes(subject: Subject) -> None:
    """There is a name per class, or none at all; values have none."""
    data = subject.build()
    expected = {"classification": data.num_outputs, "binary": 2}.get(data.task, 0)
    count = len(data.class_names)
    require(count in (0, expected), f"it has {count} class names, where {expected} classes are.")
    require(len(set(data.class_names)) == count, "two classes have the same name.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def takes_what_is_asked_for(subject: Subject) -> None:
    """`take` gives the examples asked for, in this order, repeated ones too, and the same each time."""
    for name, split in subject.build().splits.items():
        indices = np.array([len(split) - 1, 0, len(split) // 2, 0])
        x, y = split.take(indices)
        again = split.take(indices)
        require(np.array_equal(x, again[0]) and np.array_equal(y, again[1]), f"{name} gives other examples each time.")
        require(np.array_equal(x[1], x[3]), f"{name} gives two examples for one index.")
        if split.x is not None:
            equal = np.array_equal(x, split.x[indices]) and np.array_equal(y, split.y[indices])
            require(equal, f"{name}.take gives other examples than {name}.x and {name}.y.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def is_fixed_by_its_seed(subject: Subject) -> None:
    """Built twice it is the same to the last bit; another seed gives another set."""
    digest = subject.build().digest()
    require(digest == subject.build().digest(), "built twice, it is not the same.")
    seed = subject.entry.options.get("seed")
    if seed is not None:
        other = subject.build(seed=seed.default + 1).digest()
        require(digest != other, "another seed gives the same splits.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def keeps_its_splits_apart(subject: Subject) -> None:
    """No example is in two splits.

    Rows are compared, so raw data with duplicates may have equal rows on either side. They are told from shared
    examples by what duplicates do within the training split, and by other seeds: a duplicate falls on both sides under
    some seeds only, an example that is shared by the way of cutting under all.
    """
    seed = subject.entry.options.get("seed")
    builds = [{}] if seed is None else [{"seed": seed.default + number} for number in range(SEEDS)]
    problem = ""
    for options in builds:
        problem = _overlap(subject.build(**options))
        if not problem:
            return
    raise AssertionError(problem)


def _overlap(data: Dataset) -> str:
    """What says that splits overlap; empty where nothing does."""
    rows = {name: _hashes(split) for name, split in data.splits.items()}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        known = set(rows[first])
        found = sum(row in known for row in rows[second])
        repeated = 1 - len(set(rows["train"])) / len(rows["train"])
        # Of rows that are equal within training about as large a share is equal across splits; four deviations more.
        expected = 2 * repeated * len(rows[second])
        if found > expected + 4 * expected**0.5:
            return f"{found} of {len(rows[second])} examples of {second} are in {first} too."
    return ""


def _hashes(split: Split) -> list[bytes]:
    """A hash per example, of input and target."""
    return [
        hashlib.blake2b(x.tobytes() + y.tobytes(), digest_size=16).digest()
        for many in blocks(split)
        for x, y in zip(*many, strict=True)
    ]


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def normalizes_reversibly(subject: Subject) -> None:
    """What its normalization makes of the raw units leads back to the same inputs."""
    data = subject.build()
    x, _ = data.train.take(np.arange(min(64, len(data.train))))
    back = data.normalization(data.normalization.invert(x))
    require(bool(np.allclose(back, x, rtol=1e-4, atol=1e-4)), "raw units and back gives other inputs.")


@law(KIT, "datasets", unless=_is_absent, slow=_lies_on_disk)
def builds_with_each_option(subject: Subject) -> None:
    """Each option may take another value of its type and range; no split is then empty."""
    for option in subject.entry.options.values():
        for value in other_values(option):
            data = subject.build(**{option.name: value})
            for name, split in data.splits.items():
                require(len(split) > 0, f"with {option.name}={value!r} its {name} split is empty.")
                x, _ = split.take(np.arange(1))
                fits = x.shape[1:] == tuple(data.input_shape)
                require(fits, f"with {option.name}={value!r} {name} inputs are {x.shape[1:]}, not {data.input_shape}.")
