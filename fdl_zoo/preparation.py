"""Which datasets can be used now, and fetching those that cannot; nothing is imported before one is fetched."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fdl_zoo import availability, catalogue
from fdl_zoo.entry import Entry
from fdl_zoo.errors import InvalidOption


@dataclass(frozen=True)
class Preparation:
    """Whether a dataset can be used now.

    Args:
        name: The dataset.
        state: `ready` needs no files, `prepared` has them in `folder`, `missing` would have them there, `own` reads the
            user's files, `family` stands for many sets (`tfds/NAME`).
        folder: Where TFDS keeps it; None where it keeps none.
        examples: How many each split has, once it is loaded.
    """

    name: str
    state: Literal["ready", "prepared", "missing", "own", "family"]
    folder: Path | None = None
    examples: dict[str, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {**asdict(self), "folder": self.folder and str(self.folder)}


def list_data(data_dir: str | None = None) -> list[Preparation]:
    """Every dataset of the catalogue and whether it can be used now; reads metadata only.

    Args:
        data_dir: The folder in which TFDS keeps prepared sets; else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
    """
    return [_preparation(entry, entry.name, {}, data_dir) for entry in catalogue.datasets.entries()]


def prepare_data(name: str, data_dir: str | None = None) -> Preparation:
    """Fetch a dataset, where it is not there yet, and load it once, so that it is known to work.

    Args:
        name: A dataset, for example `mnist` or `tfds/emnist/letters`.
        data_dir: As of `list_data`.

    Returns:
        Where it is, and how many examples each split has.

    Raises:
        UnknownName: There is no such dataset.
        InvalidOption: It reads the user's own files, or stands for many sets.
        InvalidData: It is neither prepared nor reachable, or cannot be prepared.
    """
    entry, member = catalogue.datasets.find(name), catalogue.datasets.member(name)
    options = member[1] if member else {}
    before = _preparation(entry, name, options, data_dir)
    if before.state == "own":
        raise InvalidOption(f"{name} cannot be prepared: it reads your own file, `fdl train MODEL --data PATH`.")
    if before.state == "family":
        raise InvalidOption(f"{name} stands for many sets: name one, such as {name}/emnist/letters.")
    place = {"data_dir": data_dir} if data_dir is not None and before.folder else {}
    data = catalogue.load_dataset(name, **place)
    after = _preparation(entry, name, options, data_dir)
    examples = {part: len(getattr(data, part)) for part in ("train", "validation", "test")}
    return Preparation(name, after.state, after.folder, examples)


def _preparation(entry: Entry, name: str, options: dict[str, str], data_dir: str | None) -> Preparation:
    source = availability.source_of(entry.card.source, options)
    if source:
        state: Literal["prepared", "missing"] = "prepared" if availability.is_prepared(source, data_dir) else "missing"
        return Preparation(name, state, availability.prepared_folder(source, data_dir))
    if "family" in entry.card.capabilities:
        return Preparation(name, "family")
    return Preparation(name, "own" if "own" in entry.card.tags else "ready")
