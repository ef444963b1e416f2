"""The state of a callback as JSON: by its own `get_state` and `set_state`, or its plain attributes, as Keras's have."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

_PLAIN = (bool, int, float, str, type(None))
_SET_BY_KERAS = ("model", "_model", "params", "validation_data")


def get_state(callback: Any) -> dict[str, Any]:
    """What a callback must be given to go on in another process."""
    if hasattr(callback, "get_state"):
        return callback.get_state()
    found = {name: _encoded(value) for name, value in vars(callback).items() if name not in _SET_BY_KERAS}
    return {name: value for name, value in found.items() if value is not NotImplemented}


def set_state(callback: Any, state: Mapping[str, Any]) -> None:
    """Give a callback what `get_state` of an equal one gave."""
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name, value in state.items():
        setattr(callback, name, _decoded(value))


def _encoded(value: Any) -> Any:
    """A value as JSON; `NotImplemented` for one that is no number, text, array or list of such."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"array": base64.b64encode(file.getvalue()).decode()}
    if isinstance(value, list):
        items = [_encoded(each) for each in value]
        return NotImplemented if NotImplemented in items else items
    return NotImplemented


def _decoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        array = np.load(io.BytesIO(base64.b64decode(value["array"])), allow_pickle=False)
        return array if array.shape else array[()]
    return [_decoded(each) for each in value] if isinstance(value, list) else value
