"""Activation histograms: what each layer gives for some examples, and which units are dead (chapter 5)."""

from collections.abc import Mapping
from typing import Any

import keras

from fdl_zoo.callbacks._looking import LookingAtExamples, caption_of, examples_of, place_of
from fdl_zoo.card import Card
from fdl_zoo.data import Context

CARD = Card(chapter=5, tags=("look inside",), ranges={"times": "[0, inf)", "examples": "[1, inf)"})


class ActivationHistograms(LookingAtExamples):
    """Records the distribution of each layer's output, and the share of its units that are zero for all examples."""

    _probe: Any = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Look at this model."""
        self._probe = None
        super().on_train_begin(logs)

    def look(self) -> dict[str, Any]:
        """The distributions now; on examples that stay the same, in inference mode."""
        from fdl_zoo.analysis.histograms import ActivationProbe, dead_share, histogram

        if self.examples is None:
            return {}
        if self._probe is None:
            self._probe = ActivationProbe(self.model, self.examples[0])
        outputs = self._probe.look()
        found = {name: histogram(output) | {"dead": dead_share(output)} for name, output in outputs.items()}
        return {"activations": found}

    def metrics(self, record: Mapping[str, Any]) -> dict[str, float]:
        """Deviation and dead units of each layer."""
        found = record["activations"].items()
        deviations = {f"activation_deviation/{name}": each["deviation"] for name, each in found}
        return deviations | {f"activation_dead/{name}": each["dead"] for name, each in found}

    def draw(self) -> None:
        """Draw a panel for each layer."""
        from fdl_zoo.analysis.figure import save
        from fdl_zoo.analysis.histogram_figures import histograms_figure
        from fdl_zoo.analysis.histograms import histogram_columns

        caption = f"{self.caption} Distribution of each layer's output over {len(self.examples[0])} training examples."
        figure = histograms_figure(self.records, "activations", "output", caption)
        save(self.place, f"{self.name}/activations", figure, histogram_columns(self.records, "activations"))


def build(
    *, times: int = 12, examples: int = 64, folder: str | None = None, context: Context | None = None
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        times: Looks at most, beside the one before training; closer together at the start.
        examples: Training examples that are looked at, always the same.
        folder: Where the results go in plain Keras (`activation_histograms` if None); a run has its own place.
        context: The run; None in plain Keras, where there are no examples to look at.
    """
    name = "activation_histograms"
    place, given = place_of(name, folder, context), examples_of(context, examples)
    return ActivationHistograms(name, times, place, caption_of(context), given)
