"""Gradient norms: how long the gradient is in each layer, and how far it reaches back in time (chapters 4 and 7)."""

from collections.abc import Mapping
from typing import Any

import keras

from fdl_zoo.callbacks._looking import LookingAtExamples, caption_of, examples_of, place_of
from fdl_zoo.card import Card
from fdl_zoo.data import Context

CARD = Card(chapter=7, tags=("look inside",), ranges={"times": "[0, inf)", "examples": "[1, inf)"})


class GradientNorms(LookingAtExamples):
    """Records the norm of the gradient by layer, and by time step where the model is recurrent."""

    _probe: Any = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Look at this model."""
        self._probe = None
        super().on_train_begin(logs)

    def look(self) -> dict[str, Any]:
        """The norms now; on examples that stay the same, in inference mode."""
        if self.examples is None:
            return {}
        if self._probe is None:
            from fdl_zoo.analysis.gradients import GradientProbe

            self._probe = GradientProbe(self.model, *self.examples)
        by_layer, by_time = self._probe.look()
        norms = dict(zip(self._probe.layers, map(float, by_layer), strict=True))
        return {"by_layer": norms, "by_time": [float(each) for each in by_time]}

    def metrics(self, record: Mapping[str, Any]) -> dict[str, float]:
        """The norm of each layer."""
        return {f"gradient_norm/{name}": norm for name, norm in record["by_layer"].items()}

    def draw(self) -> None:
        """Draw the norms over the epochs and, where there are any, over time."""
        from fdl_zoo.analysis.figure import save
        from fdl_zoo.analysis.gradient_figures import layers_figure, time_columns, time_figure

        columns = {name: [record[name] for record in self.records] for name in ("epoch", "step")}
        for name in self.records[0]["by_layer"]:
            columns[name] = [record["by_layer"][name] for record in self.records]
        save(self.place, f"{self.name}/by_layer", layers_figure(self.records, self.caption), columns)
        if self.records[0]["by_time"]:
            figure = time_figure(self.records, self.caption)
            save(self.place, f"{self.name}/by_time", figure, time_columns(self.records))


def build(
    *, times: int = 12, examples: int = 64, folder: str | None = None, context: Context | None = None
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        times: Looks at most, beside the one before training; closer together at the start.
        examples: Training examples on which the gradient is taken, always the same.
        folder: Where the results go in plain Keras (`gradient_norms` if None); a run has its own place.
        context: The run; None in plain Keras, where there are no examples to look at.
    """
    name = "gradient_norms"
    place, given = place_of(name, folder, context), examples_of(context, examples)
    return GradientNorms(name, times, place, caption_of(context), given)
