"""Exports a run's model to formats that other programs read, each read back and compared before it counts as done."""

import importlib.util
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo import backend, saved
from fdl_zoo.artifacts.interface import Interface, model_inputs, raw_units
from fdl_zoo.artifacts.load import load_file
from fdl_zoo.artifacts.reference import Located, locate
from fdl_zoo.errors import InvalidOption, ZooError
from fdl_zoo.tracking.folder import ROOT

TOLERANCE = 1e-5
_EXAMPLES = 64
_NEEDS = {"onnx": ("tf2onnx", "onnx", "onnxruntime")}
_SUFFIX = {"keras": ".keras", "saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
FORMATS = tuple(_SUFFIX)
_FOLDERS = ("saved_model",)  # every other format is one file
# What a SavedModel consists of, as paths in its folder; the files in `assets` have any name.
_PARTS = re.compile(
    r"saved_model\.pb|fingerprint\.pb|variables|variables/variables\.(index|data-\d+-of-\d+)|assets(/.*)?", re.DOTALL
)


class ExportFailed(ZooError):
    """What was written does not give what the model gives, or could not be written."""

    exit_status = 1


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Args:
        run_id: The tracking store's id of the run; None without one.
        name: The run's name, or the file's.
        format: `keras`, `saved_model`, `onnx` or `litert`.
        path: The file, or the folder of a SavedModel.
        inputs: `raw` units of the training set, or `normalized`, as a `.keras` file takes them.
        outputs: `probabilities`, `values` or `logits`.
        largest_difference: Between what was read back and the Keras model, over `examples` real inputs.
        examples: How many were compared.
    """

    run_id: str | None
    name: str
    format: str
    path: str
    inputs: str
    outputs: str
    largest_difference: float
    examples: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def export(
    reference: str | Path,
    format: str,
    *,
    output: str | Path | None = None,
    logits: bool = False,
    root: Path = ROOT,
    allow_unsafe: bool = False,
) -> Exported:
    """Exports the model of a run.

    All formats but `keras` take raw units and give probabilities (values for regression); `keras` is the model itself,
    with logits and optimizer.

    Args:
        reference: What `load_model` takes.
        format: `keras`, `saved_model`, `onnx` or `litert`.
        output: Where to; by default the run's name in the working directory, with the format's ending. A file, or a
            folder that is a SavedModel and nothing else, is replaced once the new one is proved.
        logits: Give logits instead of probabilities.
        root: The folder that holds `runs/`.
        allow_unsafe: Load a model that is refused otherwise.

    Raises:
        InvalidOption: There is no such format, what it needs is not installed, or what is at `output` is no such
            export.
        InvalidData: The model cannot be loaded.
        ExportFailed: What was written differs from the model by more than 1e-5; it is not kept.
    """
    if format not in FORMATS:
        raise InvalidOption(f"format cannot be {format!r}: it is one of {', '.join(FORMATS)}.")
    _require(format)
    located = locate(reference, Path(root))
    interface = None if format == "keras" and located.interface_path is None else located.interface
    if interface is not None and interface.task == "objective" and format != "keras":
        raise InvalidOption(f"{located.name} cannot be exported as {format}: its model is an objective.")
    target = Path(output) if output is not None else Path(_file_name(located, format))
    _check_target(target, format)
    backend.load()
    model = load_file(located.model_path, allow_unsafe=allow_unsafe)
    raw = _examples(located, interface, model)
    difference = _write_proved(model, interface, format, logits, target, raw, allow_unsafe)
    plain = format == "keras"
    result = (
        "values" if interface and interface.task == "regression" else "logits" if logits or plain else "probabilities"
    )
    inputs = "normalized" if plain else "raw"
    return Exported(located.run_id, located.name, format, str(target), inputs, result, difference, len(raw))


def _require(format: str) -> None:
    """Refuses, before TensorFlow loads, a format whose libraries are missing."""
    missing = [name for name in _NEEDS.get(format, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidOption(
            f"Exporting to {format} needs {', '.join(missing)}, not installed here: pip install 'fdl-zoo[{format}]'."
        )


def _check_target(target: Path, format: str) -> None:
    """Refuses, before TensorFlow loads, a target whose replacement would delete what is no earlier export."""
    if format not in _FOLDERS:
        if target.is_dir():
            raise InvalidOption(
                f"The model cannot be exported to {target}: it is a folder, and {format} is one file; name a file, for"
                f" example {target / f'model{_SUFFIX[format]}'}."
            )
        return
    if target.exists() and not target.is_dir():
        raise InvalidOption(
            f"The model cannot be exported to {target}: it is a file, and {format} is a folder; choose another name."
        )
    foreign = _foreign(target) if target.is_dir() else None
    if foreign is not None:
        raise InvalidOption(
            f"The model cannot be exported to {target}: this folder holds something else ({foreign}), which would be"
            " deleted; choose another."
        )


def _foreign(folder: Path) -> str | None:
    """The first path in a folder that is no part of a SavedModel; None where all are, and of an empty folder."""
    paths = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*"))
    if paths and "saved_model.pb" not in paths:
        return paths[0]
    return next((path for path in paths if not _PARTS.fullmatch(path)), None)


def _file_name(located: Located, format: str) -> str:
    name = "".join(
        letter if letter.isalnum() or letter in "._-" else "_" for letter in Path(located.name).stem or "model"
    )
    return f"{name}{_SUFFIX[format]}"


def _examples(located: Located, interface: Interface | None, model: Any) -> np.ndarray:
    """Real raw inputs: of the test split where the dataset can be loaded here, else those kept with the model."""
    if located.has_spec:
        from fdl_zoo import catalogue

        spec = located.spec.data
        try:
            data = catalogue.load_dataset(spec.name, **spec.options)
            return raw_units(data, data.test.take(np.arange(min(_EXAMPLES, len(data.test))))[0])
        except ZooError:
            if interface is None:
                raise
    if interface is not None:
        return interface.example
    shape = [size or 8 for size in model.input_shape[1:]]
    return np.random.default_rng(0).random((8, *shape), np.float32)


def _write_proved(
    model: Any,
    interface: Interface | None,
    format: str,
    logits: bool,
    target: Path,
    raw: np.ndarray,
    allow_unsafe: bool,
) -> float:
    """Writes beside the target, reads back, compares, and only then moves it into place.

    Returns:
        The largest difference.
    """
    served = model if format == "keras" else _served(model, interface, format, logits)
    inputs = raw if interface is None or format != "keras" else model_inputs(model, interface.normalization, raw)
    expected = np.asarray((served if format == "keras" else _served(model, interface, "", logits))(inputs))
    target = target.resolve()  # also `.`, whose name and parent are then known
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        made = Path(folder) / f"model{_SUFFIX[format]}"
        try:
            _WRITERS[format](served, made, inputs)
            found = _READERS[format](made, inputs, allow_unsafe)
        except Exception as error:  # what a converter cannot do it tells by errors of any kind
            cause = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"
            raise ExportFailed(f"The model was not exported: it cannot be written as {format} ({cause}).") from error
        difference = float(np.abs(np.asarray(found, np.float64) - expected).max())
        scale = max(1.0, float(np.abs(expected).max()))
        if not difference <= TOLERANCE * scale:
            raise ExportFailed(
                f"The model was not exported: as {format} it gives values that differ from Keras's by {difference:.2g},"
                f" where {TOLERANCE * scale:.2g} is allowed."
            )
        _replace(made, target)
    return difference


def _replace(made: Path, target: Path) -> None:
    """Puts a file or folder in the place of an older one."""
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(made, target)


def _served(model: Any, interface: Interface, format: str, logits: bool) -> Any:
    from fdl_zoo.tracking.served import ServedModel

    task = "logits" if logits else interface.task
    precision = "float32" if format == "litert" else "float64"
    served = ServedModel(model, interface.normalization, task, precision)
    served(interface.example)
    return served


def _signature(served: Any, inputs: np.ndarray, batch: int | None = None) -> tuple[Any, list[Any]]:
    """The served model as one TensorFlow function of a batch, of any length unless it is given; and its signature."""
    import tensorflow as tf

    shape = [batch, *served.model.input_shape[1:]]
    specification = [tf.TensorSpec(shape, inputs.dtype, name="inputs")]
    return tf.function(lambda inputs: served(inputs), input_signature=specification, autograph=False), specification


def _write_keras(model: Any, path: Path, inputs: np.ndarray) -> None:
    saved.save(model, path)


def _read_keras(path: Path, inputs: np.ndarray, allow_unsafe: bool) -> np.ndarray:
    return np.asarray(load_file(path, allow_unsafe=allow_unsafe)(inputs))


def _write_saved_model(served: Any, path: Path, inputs: np.ndarray) -> None:
    import keras

    archive = keras.export.ExportArchive()
    archive.track(served)
    function, signature = _signature(served, inputs)
    archive.add_endpoint("serve", function, input_signature=signature)
    archive.write_out(str(path), verbose=False)


def _read_saved_model(path: Path, inputs: np.ndarray, allow_unsafe: bool) -> np.ndarray:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return loaded.serve(inputs).numpy()


def _write_onnx(served: Any, path: Path, inputs: np.ndarray) -> None:
    import tf2onnx

    function, signature = _signature(served, inputs)
    with backend.silenced():
        tf2onnx.convert.from_function(function, input_signature=signature, opset=18, output_path=str(path))


def _read_onnx(path: Path, inputs: np.ndarray, allow_unsafe: bool) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


def _write_litert(served: Any, path: Path, inputs: np.ndarray) -> None:
    """One example at a time: LiteRT has no recurrent layers of any batch size.

    By way of Keras's export, which makes constants of the weights; with TensorFlow's converter alone they get lost.
    """
    import keras

    signature = keras.InputSpec(shape=(1, *served.model.input_shape[1:]), dtype=str(inputs.dtype), name="inputs")
    with backend.silenced():
        served.export(str(path), format="litert", input_signature=[signature], verbose=False)


def _read_litert(path: Path, inputs: np.ndarray, allow_unsafe: bool) -> np.ndarray:
    import tensorflow as tf

    with backend.silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the interpreter will move to another package
        interpreter = tf.lite.Interpreter(str(path))
        run = interpreter.get_signature_runner()
        ((name, _),) = run.get_input_details().items()
        return np.concatenate([next(iter(run(**{name: each[None]}).values())) for each in inputs])


_WRITERS: dict[str, Callable[[Any, Path, np.ndarray], None]] = {
    "keras": _write_keras,
    "saved_model": _write_saved_model,
    "onnx": _write_onnx,
    "litert": _write_litert,
}
_READERS: dict[str, Callable[[Path, np.ndarray, bool], np.ndarray]] = {
    "keras": _read_keras,
    "saved_model": _read_saved_model,
    "onnx": _read_onnx,
    "litert": _read_litert,
}
