"""MLflow as the mirror of runs: the one file that imports mlflow, and only its client, never its global state.

Imported late, by the sender's thread or in a command's body. `fdl_zoo.tracking` has prepared the environment before.
"""

import atexit
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import yaml
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.types.schema import Schema, TensorSpec

from fdl_zoo import saved
from fdl_zoo.data import Normalization
from fdl_zoo.errors import TrackingError, UnknownName, ZooError
from fdl_zoo.tracking import Point, RunDeleted
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.names import MAX_VALUE, flattened, safe_key
from fdl_zoo.tracking.secrets import redacted
from fdl_zoo.tracking.uri import EXPERIMENT, sqlite_path

# They print, with a traceback, what is raised as well; a raised error is answered by its receiver, in one sentence.
for _noisy in ("mlflow.store.db.utils", "alembic.runtime.migration", "urllib3.connectionpool"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)

UID_TAG = "fdl_zoo.uid"
STEP_TAG = "fdl_zoo.step"
# Lets the UI show curves and training runs, where it would take an experiment for one with language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MAX_DIGEST = 36
IDENTITY = Normalization()
_METRICS_PER_BATCH, _PARAMS_PER_BATCH = 1000, 100


class MlflowTracker:
    """A `Tracker` of one run in an MLflow store.

    Args:
        uri: The store: `sqlite:////absolute/path`, `http://...` or another address that MLflow takes.
        experiment: The experiment's name; made where it is missing.
    """

    def __init__(self, uri: str, experiment: str = EXPERIMENT) -> None:
        self._client = MlflowClient(uri)
        self._uri, self._experiment = uri, experiment
        self._run_id = ""
        self._is_new = False

    def begin(self, run: RunFolder) -> str:
        """Creates the run, or reopens the one that the folder names or that carries the folder's mark."""
        if not self._run_id:
            found = self._find(run)
            self._is_new = found is None
            self._run_id = (found or self._create(run)).info.run_id
            if found and found.info.status != "RUNNING" and run.status == "RUNNING":
                self._client.update_run(self._run_id, status="RUNNING")
        return self._run_id

    def log_facts(self, spec: str, facts: Mapping[str, Any]) -> None:
        """Parameters from the specification, tags and the dataset from the facts, and the specification as a file."""
        self._log_params(dict(flattened(yaml.safe_load(spec) or {})))
        # The origin of each value would drown the tags that runs are told apart by; the run's folder has them.
        # The commit is a tag of MLflow's own, the experiment a parameter.
        untagged = ("dataset", "origins", "git_commit", "experiment")
        self._log_tags({name: value for name, value in facts.items() if name not in untagged and value is not None})
        self._log_tags(standard_tags(facts))
        if facts.get("dataset"):
            self._client.log_inputs(self._run_id, [dataset_input(facts["dataset"])])
        self._client.log_text(self._run_id, spec, "spec.yaml")

    def missing(self, points: list[Point]) -> list[Point]:
        """Asks the store for the history of each metric; a run that was made here has none yet."""
        if self._is_new or not points:
            return points
        known = {
            (name, each.step)
            for name in {safe_key(point.name) for point in points}
            for each in self._client.get_metric_history(self._run_id, name)
        }
        return [point for point in points if (safe_key(point.name), point.step) not in known]

    def log_points(self, points: list[Point]) -> None:
        """One synchronous request per thousand points. The store drops points that it has exactly so."""
        metrics = [Metric(safe_key(each.name), each.value, int(each.time * 1000), each.step) for each in points]
        for start in range(0, len(metrics), _METRICS_PER_BATCH):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + _METRICS_PER_BATCH], synchronous=True)

    def log_artifact(self, path: Path, folder: str) -> None:
        """Stores a file among the run's artifacts, in the place of an earlier one."""
        self._client.log_artifact(self._run_id, str(path), folder or None)

    def log_model(self, path: Path, step: int) -> str:
        """Stores a package as the run's one logged model of this step: `models:/ID` loads it."""
        model = self._logged_model(step) or self._create_logged_model(step)
        self._client.log_model_artifacts(model.model_id, str(path))
        with tempfile.TemporaryDirectory() as folder:
            description = Path(folder) / "MLmodel"
            about = Model.load(str(path / "MLmodel"))
            about.model_id, about.run_id, about.artifact_path = model.model_id, self._run_id, model.artifact_location
            about.save(str(description))
            self._client.log_model_artifact(model.model_id, str(description))
        if model.status != LoggedModelStatus.READY:
            self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return model.model_id

    def end(self, status: str, reason: str, time: float) -> None:
        """Sets the status, and the reason as a tag; a run that was resumed and finished has none."""
        if reason:
            self._client.set_tag(self._run_id, "reason", reason[:MAX_VALUE])
        elif not self._is_new and "reason" in self._client.get_run(self._run_id).data.tags:
            self._client.delete_tag(self._run_id, "reason")
        self._client.set_terminated(self._run_id, status, int(time * 1000))

    def _find(self, run: RunFolder) -> Run | None:
        found = self._get(run.run_id) if run.run_id else None
        if found is None:
            mark = f"tags.`{UID_TAG}` = '{run.uid}'"
            found = next(iter(self._client.search_runs([self._experiment_id()], mark, max_results=1)), None)
        if found is not None and found.info.lifecycle_stage == "deleted":
            raise RunDeleted(f"The run {run.name} was deleted in the store.")
        return found

    def _get(self, run_id: str) -> Run | None:
        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _create(self, run: RunFolder) -> Run:
        tags = {UID_TAG: run.uid, "mlflow.source.type": "LOCAL"} | self._parent_tag(run)
        return self._client.create_run(self._experiment_id(), int(run.started * 1000), tags, run_name=run.name)

    def _parent_tag(self, run: RunFolder) -> dict[str, str]:
        """Puts a child of a sweep below its parent in the UI, where the store has the parent."""
        parent = (run.facts.get("sweep") or {}).get("parent")
        mark = f"tags.`{UID_TAG}` = '{parent}'"
        found = self._client.search_runs([self._experiment_id()], mark, max_results=1) if parent else []
        return {"mlflow.parentRunId": found[0].info.run_id} if found else {}

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"the experiment {self._experiment} was deleted there; `mlflow experiments restore --experiment-id"
                    f" {found.experiment_id}` brings it back, or give another by --experiment"
                )
            return found.experiment_id
        try:
            place = artifact_location(self._uri, self._experiment)
            return self._client.create_experiment(self._experiment, place, tags=_EXPERIMENT_TAGS)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._client.get_experiment_by_name(self._experiment).experiment_id  # another process was faster

    def _log_params(self, params: dict[str, str]) -> None:
        """Adds parameters. MLflow never changes one: what a resumed run changed becomes a tag `resumed.NAME`."""
        known = {} if self._is_new else self._client.get_run(self._run_id).data.params
        fresh = [Param(name, value) for name, value in params.items() if name not in known]
        for start in range(0, len(fresh), _PARAMS_PER_BATCH):
            self._client.log_batch(self._run_id, params=fresh[start : start + _PARAMS_PER_BATCH], synchronous=True)
        changed = {name: params[name] for name in params.keys() & known if params[name] != known[name]}
        if changed:
            self._log_tags({"resumed": changed})

    def _log_tags(self, facts: Mapping[str, Any]) -> None:
        tags = [RunTag(name, value) for name, value in flattened(facts)]
        for start in range(0, len(tags), _PARAMS_PER_BATCH):
            self._client.log_batch(self._run_id, tags=tags[start : start + _PARAMS_PER_BATCH], synchronous=True)

    def _logged_model(self, step: int) -> LoggedModel | None:
        """The model that an earlier attempt has begun, or finished, for this step."""
        found = self._client.search_logged_models([self._experiment_id()], f"source_run_id = '{self._run_id}'")
        return next((model for model in found if model.tags.get(STEP_TAG) == str(step)), None)

    def _create_logged_model(self, step: int) -> LoggedModel:
        tags = {STEP_TAG: str(step)}
        model = self._client.create_logged_model(self._experiment_id(), "model", self._run_id, tags, model_type="keras")
        self._client.log_outputs(self._run_id, [LoggedModelOutput(model.model_id, step=step)])
        return model


def standard_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """What MLflow's UI shows as the source of a run. It cuts a name at its last slash, so this is `fdl train` alone."""
    tags = {}
    if facts.get("command"):
        tags["mlflow.source.name"] = " ".join(str(facts["command"]).split()[:2])
    if facts.get("git_commit"):
        tags["mlflow.source.git.commit"] = str(facts["git_commit"])
    return tags


def artifact_location(uri: str, experiment: str) -> str | None:
    """Where the artifacts of an experiment go: beside an SQLite file; of a server that is the server's matter."""
    database = sqlite_path(uri)
    return (database.parent / "artifacts" / safe_key(experiment).replace("/", "_")).as_uri() if database else None


def package_model(
    model: Any,
    folder: Path,
    *,
    input_example: np.ndarray,
    class_names: Sequence[str] = (),
    normalization: Normalization = IDENTITY,
    task: str = "classification",
    beside: Sequence[Path] = (),
) -> Path:
    """Writes a model as an MLflow model folder, without a store: a SavedModel, `model.keras` and an example beside it.

    The SavedModel takes raw units and returns probabilities (values for regression); it loads with TensorFlow alone and
    runs no plugin's code. `model.keras` has the logits and the optimizer; the metadata say what it needs beyond Keras,
    as pip writes it: us, and the plugins that its file states.

    Args:
        model: A built `keras.Model` that outputs logits, or values.
        folder: Where to; what is there is replaced once the new one is whole.
        input_example: A few raw examples [batch, ...] in the data type that users will give.
        class_names: A name per output, kept in the metadata.
        normalization: How raw units became the model's inputs.
        task: The dataset's task, which decides what turns logits into probabilities.
        beside: Files to put beside the model.

    Returns:
        `folder`.
    """
    import mlflow.keras

    from fdl_zoo.tracking.served import ServedModel

    served = ServedModel(model, normalization, task)
    example_output = np.asarray(served(input_example))
    signature = ModelSignature(Schema([_tensor(input_example)]), Schema([_tensor(example_output)]))
    metadata = {"class_names": list(class_names), "task": task}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made first, because MLflow writes the example before it makes the folder.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with _quiet_keras():
            mlflow.keras.save_model(
                served,
                str(unfinished),
                save_exported_model=True,
                signature=signature,
                input_example=input_example,
                pip_requirements=[f"{each}=={version(each)}" for each in ("keras", "numpy", "tensorflow")],
                metadata=metadata,
            )
            saved.save(model, unfinished / "model.keras")
        _state_requirements(unfinished)
        for path in beside:
            shutil.copyfile(path, unfinished / path.name)
        unfinished.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _state_requirements(folder: Path) -> None:
    """Puts into a package's metadata what its `model.keras` needs: MLflow writes them before that file is there."""
    about = Model.load(str(folder / "MLmodel"))
    needed = {"fdl-zoo": version("fdl-zoo"), **saved.stated_versions(folder / "model.keras")}
    about.metadata["model_keras_requires"] = [f"{name}=={number}" for name, number in needed.items()]
    about.save(str(folder / "MLmodel"))


def _tensor(example: np.ndarray) -> TensorSpec:
    return TensorSpec(example.dtype, (-1, *example.shape[1:]))


@contextmanager
def _quiet_keras() -> Iterator[None]:
    """Keeps Keras's report of an export from standard output."""
    import keras

    was_interactive = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if was_interactive:
            keras.config.enable_interactive_logging()


def register_version(uri: str, name: str, run_id: str, alias: str | None) -> str:
    """Registers the logged model of a run, and lets the alias mean this version.

    Args:
        uri: The store, which is the registry too.
        name: The registered model; made where it is missing.
        run_id: A run that has a logged model; the latest is taken.
        alias: An alias, or None.

    Returns:
        The version; one that is of this logged model already is taken.

    Raises:
        TrackingError: The store refuses.
    """
    client = MlflowClient(uri, uri)
    try:
        outputs = client.get_run(run_id).outputs.model_outputs
        model_id = max(outputs, key=lambda output: output.step).model_id
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Not `models:/ID`, which MLflow looks up in its global store, whatever this client's is.
        source = client.get_logged_model(model_id).artifact_location
        known = client.search_model_versions(f"name = '{name}'")
        found = next((each.version for each in known if each.source == source), None)
        if found is None:
            found = client.create_model_version(name, source, run_id, model_id=model_id).version
        if alias:
            client.set_registered_model_alias(name, alias, found)
    except MlflowException as error:
        raise TrackingError(f"The model cannot be registered as {name}: {_first_line(error)}.") from error
    return str(found)


def download_model(uri: str, address: str) -> Path:
    """The folder of a logged or registered model: where it lies, or a copy that is gone when this process ends.

    Args:
        uri: The store, which is the registry too.
        address: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID` or `runs:/ID/model`.

    Raises:
        UnknownName: The store has no such model.
        TrackingError: The store or the model's files cannot be reached.
    """
    from mlflow.artifacts import download_artifacts

    try:
        place = _place_of(MlflowClient(uri, uri), address)
        if urlsplit(place).scheme in ("", "file"):
            return Path(download_artifacts(place, tracking_uri=uri))  # where the store keeps it, on this machine
        copy = tempfile.TemporaryDirectory(prefix="fdl-model-")
        atexit.register(copy.cleanup)
        return Path(download_artifacts(place, dst_path=copy.name, tracking_uri=uri))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise UnknownName(f"There is no model {address!r} in {redacted(uri)}: {_first_line(error)}.") from error
        raise TrackingError(f"The model {address} cannot be fetched: {_first_line(error)}.") from error
    except OSError as error:
        raise TrackingError(f"The model {address} cannot be fetched: {_first_line(error)}.") from error


def _place_of(client: MlflowClient, address: str) -> str:
    """Where the files of an address are. MLflow itself would ask its global store, whatever the client's is."""
    scheme, _, rest = address.partition(":/")
    rest = rest.strip("/")
    if scheme == "runs":
        outputs = client.get_run(rest.partition("/")[0]).outputs.model_outputs
        if not outputs:
            raise UnknownName(f"There is no model {address!r}: this run has none.")
        return client.get_logged_model(max(outputs, key=lambda output: output.step).model_id).artifact_location
    name, sign, alias = rest.partition("@")
    if sign:
        return client.get_model_version_download_uri(name, client.get_model_version_by_alias(name, alias).version)
    name, sign, version = rest.partition("/")
    if not sign:
        return client.get_logged_model(name).artifact_location
    if version == "latest":
        known = client.search_model_versions(f"name = '{name}'")
        version = max((each.version for each in known), key=int, default="1")
    return client.get_model_version_download_uri(name, version)


def _first_line(error: BaseException) -> str:
    return redacted(str(error).strip().partition("\n")[0]).rstrip(". ")


def scoring_application(folder: Path, check: Callable[[Any], None]) -> Any:
    """MLflow's HTTP server of a package as an ASGI application, as `mlflow models serve` runs it.

    Args:
        folder: An MLflow model folder.
        check: Called with the inputs of each request, in the types of the signature; what it refuses by an error of
            ours is answered with status 400 and that error's sentence.
    """
    from mlflow.pyfunc import load_model, scoring_server

    model = load_model(str(folder))
    predict = model.predict

    def checked(data: Any, params: Mapping[str, Any] | None = None) -> Any:
        try:
            check(data)
        except ZooError as error:
            raise _Refused(str(error), BAD_REQUEST) from error
        return predict(data, params=params)

    model.predict = checked
    return scoring_server.init(model)


class _Refused(MlflowException):
    """A request that is refused by a sentence, before which MLflow would put all that the request holds."""

    @property
    def message(self) -> str:
        """The sentence as it was raised."""
        return str(self)

    @message.setter
    def message(self, value: str) -> None:
        """What MLflow makes of it is left out."""


def create_database(path: Path, final: Path) -> None:
    """Makes an SQLite store at `path` that is to be moved to `final`, with the experiment `fdl_zoo` in it."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    uri = f"sqlite:///{final}"
    store = SqlAlchemyStore(f"sqlite:///{path}", (final.parent / "artifacts").as_uri())
    try:
        tags = [ExperimentTag(*tag) for tag in _EXPERIMENT_TAGS.items()]
        store.create_experiment(EXPERIMENT, artifact_location(uri, EXPERIMENT), tags=tags)
    finally:
        store.engine.dispose()


def dataset_input(facts: Mapping[str, Any]) -> DatasetInput:
    """A dataset as an input of a run.

    Args:
        facts: `name`, `digest` (SHA-256 of all values), `source`, `sizes`. MLflow keeps 36 characters of a digest, so
            the whole of it stands in the input's tag `sha256`.
    """
    dataset = Dataset(
        name=facts["name"],
        digest=facts["digest"][:_MAX_DIGEST],
        source_type="fdl_zoo",
        source=json.dumps({"source": facts.get("source", "")}),
        profile=json.dumps(facts.get("sizes", {})),
    )
    tags = [InputTag("mlflow.data.context", "training"), InputTag("sha256", facts["digest"])]
    return DatasetInput(dataset, tags)
