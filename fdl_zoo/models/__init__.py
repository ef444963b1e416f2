"""The models: one file per entry, the folder listing is the catalogue.

Importing this registers the models' own layers with Keras, so that saved models load.
"""

from fdl_zoo.models._layers import LocalResponseNormalization
from fdl_zoo.models._recurrent import AveragedCell, LearnedStateRNN
from fdl_zoo.models.quadratic import QuadraticBowl

__all__ = ["AveragedCell", "LearnedStateRNN", "LocalResponseNormalization", "QuadraticBowl"]
