"""Demonstrations on surfaces that can be drawn whole: what the optimizers of chapters 2 and 4 do there, and why.

Each is a function that takes a folder, writes a figure with its numbers beside it, and returns the numbers:
`draw_paths` (with an animation), `valley`, `batch_sizes`, `effective_rates`, `linear_neuron`, `critical_points` and
`backpropagation`.
"""

from fdl_zoo.analysis.landscapes.batches import batch_sizes
from fdl_zoo.analysis.landscapes.by_hand import backpropagation
from fdl_zoo.analysis.landscapes.conditioning import valley
from fdl_zoo.analysis.landscapes.fields import critical_points
from fdl_zoo.analysis.landscapes.functions import LANDSCAPES
from fdl_zoo.analysis.landscapes.neuron import linear_neuron
from fdl_zoo.analysis.landscapes.paths import draw_paths
from fdl_zoo.analysis.landscapes.rates import effective_rates

__all__ = [
    "LANDSCAPES",
    "backpropagation",
    "batch_sizes",
    "critical_points",
    "draw_paths",
    "effective_rates",
    "linear_neuron",
    "valley",
]
