"""LSTM gates: what the keep, write and output gates do over a sequence, before training and after (chapter 7)."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from fdl_zoo.callbacks._looking import LookingAtExamples, caption_of, examples_of, place_of
from fdl_zoo.card import Card
from fdl_zoo.data import Context

CARD = Card(chapter=7, tags=("look inside",), ranges={"times": "[0, inf)", "examples": "[1, inf)"})


class LstmGates(LookingAtExamples):
    """Records how far the gates of the first LSTM are open; of a model without one it records nothing."""

    def look(self) -> dict[str, Any]:
        """The mean of each gate over examples, time and units."""
        found = self._gates()
        if found is None:
            return {}
        return {"mean": {name: float(np.nanmean(found[name])) for name in ("keep", "write", "output")}}

    def metrics(self, record: Mapping[str, Any]) -> dict[str, float]:
        """These means."""
        return {f"gate/{name}": mean for name, mean in record["mean"].items()}

    def prepare(self) -> None:
        """Take the gates of the first example as they are now, and what the layer reads of it."""
        from fdl_zoo.analysis.gates import inputs_of, lstm_layer

        read, there = inputs_of(self.model, lstm_layer(self.model), self.examples[0][:1])
        steps = slice(None) if there is None or not there.any() else there[0]  # padding is not drawn
        self._last = {name: values[0][steps] for name, values in self._gates().items()}, read[0][steps]

    def draw(self) -> None:
        """Draw these gates."""
        from fdl_zoo.analysis.figure import save
        from fdl_zoo.analysis.gate_figures import gates_figure
        from fdl_zoo.analysis.gates import gate_columns

        found, read = self._last
        caption = (
            f"{self.caption} How far the keep, write and output gates of each unit are open over one training sequence,"
            " after training; units in the order of their mean keep gate."
        )
        save(self.place, f"{self.name}/gates", gates_figure(found, read, caption), gate_columns(found))

    def _gates(self) -> Any:
        from fdl_zoo.analysis.gates import gate_activations, inputs_of, lstm_layer

        layer = lstm_layer(self.model)
        if self.examples is None or layer is None:
            return None
        return gate_activations(layer, *inputs_of(self.model, layer, self.examples[0]))


def build(
    *, times: int = 12, examples: int = 16, folder: str | None = None, context: Context | None = None
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        times: Looks at most, beside the one before training; closer together at the start.
        examples: Training sequences over which the gates are averaged; the first is drawn.
        folder: Where the results go in plain Keras (`lstm_gates` if None); a run has its own place.
        context: The run; None in plain Keras, where there are no examples to look at.
    """
    name = "lstm_gates"
    place, given = place_of(name, folder, context), examples_of(context, examples)
    return LstmGates(name, times, place, caption_of(context), given)
