"""Weight histograms: how the weights of each layer are distributed, and how that changes (chapter 3)."""

from collections.abc import Mapping
from typing import Any

import keras

from fdl_zoo.callbacks._looking import Looking, caption_of, place_of
from fdl_zoo.card import Card
from fdl_zoo.data import Context

CARD = Card(chapter=3, tags=("look inside",), ranges={"times": "[0, inf)"})


class WeightHistograms(Looking):
    """Records the distribution of each kernel; biases are too few to have one."""

    def look(self) -> dict[str, Any]:
        """The distributions now."""
        from fdl_zoo.analysis.histograms import weight_histograms

        found = weight_histograms(self.model)
        return {"weights": found} if found else {}

    def metrics(self, record: Mapping[str, Any]) -> dict[str, float]:
        """The standard deviation of each."""
        return {f"weight_deviation/{name}": found["deviation"] for name, found in record["weights"].items()}

    def draw(self) -> None:
        """Draw a panel for each."""
        from fdl_zoo.analysis.figure import save
        from fdl_zoo.analysis.histogram_figures import histograms_figure
        from fdl_zoo.analysis.histograms import histogram_columns

        caption = f"{self.caption} Distribution of the weights of each layer, from before training to its end."
        figure = histograms_figure(self.records, "weights", "weight", caption)
        save(self.place, f"{self.name}/weights", figure, histogram_columns(self.records, "weights"))


def build(*, times: int = 12, folder: str | None = None, context: Context | None = None) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        times: Looks at most, beside the one before training; closer together at the start.
        folder: Where the results go in plain Keras (`weight_histograms` if None); a run has its own place.
        context: The run; None in plain Keras.
    """
    name = "weight_histograms"
    return WeightHistograms(name, times, place_of(name, folder, context), caption_of(context))
