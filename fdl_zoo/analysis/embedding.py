"""The last hidden layer in two dimensions, by t-SNE or principal components, coloured by class (chapter 5)."""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from fdl_zoo.analysis.filters import outputs_of


@dataclass(frozen=True)
class Embedding:
    """Examples as points.

    Args:
        method: `tsne` or `pca`.
        layer: The layer whose outputs are drawn.
        points: Where each example is [examples, 2].
        targets: Its class or value [examples].
        neighbour_accuracy: The share of examples whose nearest other one in the hidden layer has their class; None
            without classes.
        neighbour_accuracy_input: The same by raw inputs.
    """

    method: str
    layer: str
    points: np.ndarray
    targets: np.ndarray
    neighbour_accuracy: float | None
    neighbour_accuracy_input: float | None


def last_hidden(model: keras.Model) -> Any:
    """The last layer before the output layer whose values a network has learned; None where there is none."""
    output = next(each for each in reversed(model.layers) if each.weights)  # frozen ones have theirs too
    before = model.layers[: model.layers.index(output)]
    weighted = [index for index, layer in enumerate(before) if layer.weights]
    if not weighted:
        return None
    kept = [each for each in before[weighted[-1] :] if not isinstance(each, keras.layers.Dropout)]
    return kept[-1]


def embedded(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    *,
    classes: bool,
    method: Literal["tsne", "pca"] = "tsne",
    seed: int = 0,
) -> Embedding | None:
    """The last hidden layer's outputs in two dimensions; None for a model without one.

    Args:
        model: A functional model.
        x: Inputs [examples, ...].
        y: Targets [examples] or [examples, 1].
        classes: Whether they are classes.
        method: `tsne` keeps neighbours together; `pca` keeps straight lines straight.
        seed: Of t-SNE.
    """
    layer = last_hidden(model)
    if layer is None:
        return None
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    hidden = outputs_of(model, {"hidden": layer}, x)["hidden"].reshape(len(x), -1)
    hidden = hidden.astype(np.float32, copy=False)  # scikit-learn has no bfloat16
    targets = np.asarray(y).reshape(len(x), -1)[:, 0]
    if method == "pca":
        points = PCA(2, random_state=seed).fit_transform(hidden)
    else:
        perplexity = min(30.0, (len(x) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(hidden)
    agreed = [neighbour_accuracy(each, targets) if classes else None for each in (hidden, x.reshape(len(x), -1))]
    return Embedding(method, layer.name, points, targets, *agreed)


def neighbour_accuracy(values: np.ndarray, classes: np.ndarray) -> float:
    """The share of examples whose nearest other example has their class.

    Args:
        values: [examples, features].
        classes: [examples].
    """
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=2).fit(values).kneighbors(return_distance=False)[:, 0]
    return float(np.mean(classes[nearest] == classes))
