"""What callbacks that watch a metric share: states for resume, and an error instead of a warning for a wrong name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidOption


def monitored(logs: Mapping[str, Any] | None, monitor: str) -> float:
    """The value of a metric at an epoch's end.

    Raises:
        InvalidOption: There is no such metric; the message names those there are.
    """
    if monitor not in (logs or {}):
        known = ", ".join(sorted(logs or {})) or "none"
        hint = "; give validation data for names that begin with val_" if monitor.startswith("val_") else ""
        raise InvalidOption(f"The metric {monitor!r} cannot be monitored: this training has {known}{hint}.")
    return float(logs[monitor])


def plain(value: Any) -> Any:
    """A counter or a metric as a plain number for JSON; None stays None."""
    return value if value is None or isinstance(value, int | float) else np.asarray(value).item()


class Resumable:
    """Mixed in before a Keras callback: `get_state` and `set_state` over the attributes in `STATE`.

    Keras resets these attributes as training begins, so a state that was set is applied again after that, once.
    """

    STATE: tuple[str, ...] = ()
    _restored: Mapping[str, Any] | None = None

    def get_state(self) -> dict[str, Any]:
        """Plain values from which `set_state` lets an interrupted training go on as if it had not been."""
        return {name: plain(getattr(self, name)) for name in self.STATE}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `get_state` gave; effective now, and for the next `fit`."""
        self._restored = dict(state)
        self._apply(self._restored)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begins as Keras does, then takes up the restored state if there is one."""
        super().on_train_begin(logs)
        if self._restored is not None:
            self._apply(self._restored)
            self._restored = None

    def _apply(self, state: Mapping[str, Any]) -> None:
        for name in self.STATE:
            setattr(self, name, state[name])
