"""What RUN means: a run's name, prefix or `last`, a path, or an address of MLflow's; and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from fdl_zoo.artifacts.interface import FILE, Interface
from fdl_zoo.artifacts.safe import is_pickle
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.spec import RunSpec, read_config, read_spec
from fdl_zoo.tracking.folder import ROOT, RunFolder, find_folder

ADDRESSES = ("models:/", "runs:/")


@dataclass(frozen=True)
class Located:
    """A model's files.

    Args:
        name: What to call it.
        model_path: Its `.keras` file: logits, optimizer included.
        interface_path: What is known of raw units; None for a bare `.keras` file.
        folder: The run, where it is one of a folder.
        package: An MLflow model's folder, where it was given as one.
    """

    name: str
    model_path: Path
    interface_path: Path | None = None
    folder: RunFolder | None = None
    package: Path | None = None

    @property
    def run_id(self) -> str | None:
        """The tracking store's id of the run; None without one."""
        if self.package is not None:
            return read_config(self.package / "MLmodel").get("run_id")
        return self.folder.run_id if self.folder else None

    @property
    def interface(self) -> Interface:
        """What is known of raw units.

        Raises:
            InvalidData: Nothing is.
        """
        if self.interface_path is None:
            raise InvalidData(
                f"The raw units of {self.name} are not known: a .keras file says nothing of them; give the run, "
                "or take the model's own inputs and outputs with --logits."
            )
        return Interface.load(self.interface_path)

    @property
    def spec(self) -> RunSpec:
        """The specification that the run was trained from.

        Raises:
            InvalidOption: It is a bare file, which does not say.
        """
        place = self.folder.path if self.folder else self.package
        if place is None or not (place / "spec.yaml").is_file():
            raise InvalidOption(f"What {self.name} was trained on is not known: name the data with --data.")
        return read_spec(place)

    @property
    def has_spec(self) -> bool:
        """Whether `spec` is known."""
        return self.folder is not None or (self.package is not None and (self.package / "spec.yaml").is_file())


def locate(reference: str | Path, root: Path = ROOT) -> Located:
    """The files of the model that a reference means.

    Args:
        reference: A run's name, its id, a unique prefix of either, or `last`, with `@best` for its best checkpoint;
            the path of a `.keras` file, of a run's folder or of an MLflow model's folder; `models:/NAME@ALIAS`,
            `models:/NAME/VERSION`, `models:/ID` or `runs:/ID/model`.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run, or no such registered model.
        InvalidData: The path holds no model.
    """
    text = str(reference)
    if text.startswith(ADDRESSES):
        return _registered(text, Path(root))
    path = Path(text).expanduser()
    if path.suffix == ".keras":
        return Located(text, path)
    if isinstance(reference, Path) or "/" in text or text.startswith("."):
        return _at(path, text)
    folder, checkpoint = find_folder(text, Path(root))
    return _of_run(folder, checkpoint)


def _of_run(folder: RunFolder, checkpoint: str) -> Located:
    path = folder.checkpoints / f"{checkpoint}.keras"
    if not path.is_file():
        raise InvalidData(
            f"The run {folder.name} ({folder.status.lower()}) has no model yet: its checkpoint {path} is not there."
        )
    name = folder.name if checkpoint == "last" else f"{folder.name}@{checkpoint}"
    return Located(name, path, folder.path / FILE, folder)


def _at(path: Path, text: str) -> Located:
    """A run's folder or an MLflow model's folder."""
    plain, _, checkpoint = str(path).rpartition("@")
    if checkpoint in ("best", "last") and Path(plain).is_dir():
        path = Path(plain)
    else:
        checkpoint = "last"
    if (path / "run.json").is_file():
        return _of_run(RunFolder.open(path), checkpoint)
    if (path / "MLmodel").is_file():
        return _packaged(path, text)
    what = "is no folder of a run or of an MLflow model" if path.is_dir() else "is not there"
    if path.is_file():
        pickled = path.suffix in (".pkl", ".pickle", ".joblib") or is_pickle(path)
        what = "is a pickle, which would run code" if pickled else "is no .keras file"
    raise InvalidData(f"The model {text} cannot be loaded: it {what}; give a run, a .keras file or models:/NAME@ALIAS.")


def _packaged(path: Path, name: str) -> Located:
    model = path / "model.keras"
    if not model.is_file():
        raise InvalidData(
            f"The model {name} cannot be loaded: it was not packaged by fdl_zoo, since {model.name} is missing from it."
        )
    interface = path / FILE
    return Located(name, model, interface if interface.is_file() else None, package=path)


def _registered(address: str, root: Path) -> Located:
    """A model of the tracking store: its files where they lie, or brought here from a server."""
    from fdl_zoo.tracking import default_uri
    from fdl_zoo.tracking.mlflow import download_model

    return _packaged(download_model(default_uri(root), address), address)
