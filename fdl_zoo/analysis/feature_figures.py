"""The figures of what a network sees: filters, feature maps, shifts, classes and line detectors (chapter 5)."""

from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLUE, DIVERGING, GREEN, MARKERS, ORANGE, SEQUENTIAL, SERIES, drawing
from fdl_zoo.analysis.lines import DETECTORS, convolved, lined_image, pooled

SHOWN = 64  # filters or maps at most in one figure
COLUMNS = 8


def _grid(figure: Any, count: int) -> list[Any]:
    rows = -(-count // COLUMNS)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels:
        _bare(axes)
    for axes in panels[count:]:
        axes.set_visible(False)
    return list(panels[:count])


def _bare(axes: Any) -> None:
    """An image has no axes to read."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.5)


def filters_figure(found: Any) -> Any:
    """The filters of a convolution, each as an image; of more than one channel, their mean.

    Args:
        found: A `Features` with filters.
    """
    kernel = found.filters
    height, width, channels, count = kernel.shape
    shown = min(count, SHOWN)
    mean = f", the mean over their {channels} channels" if channels > 1 else ""
    caption = (
        f"{found.title} The {'first ' if shown < count else ''}{shown} filters of {height}x{width} of the layer"
        f" {found.layer}{mean}; each weight by the colour scale."
    )
    images = kernel.mean(axis=2)
    limit = float(abs(images[..., :shown]).max()) or 1.0
    with drawing(caption, width=7, height=0.35 + 0.82 * -(-shown // COLUMNS)) as figure:
        panels = _grid(figure, shown)
        for index, axes in enumerate(panels):
            drawn = axes.imshow(images[..., index], cmap=DIVERGING, vmin=-limit, vmax=limit)
            axes.set_title(str(index), fontsize=8, pad=2)
        figure.colorbar(drawn, ax=panels, label="weight", shrink=0.9)
    return figure


def maps_figure(found: Any, x: np.ndarray) -> Any:
    """The feature maps of an image, below each filter's number, with the image first.

    Args:
        found: A `Features` with maps.
        x: The image [height, width, channels].
    """
    count = found.maps.shape[-1]
    shown = min(count, SHOWN - 1)
    caption = (
        f"{found.title} Feature maps of {found.image} behind the layer {found.layer}, after its nonlinearity:"
        f" {'the first ' if shown < count else ''}{shown} of {count}; the image comes first."
    )
    with drawing(caption, width=7, height=0.35 + 0.82 * -(-(shown + 1) // COLUMNS)) as figure:
        panels = _grid(figure, shown + 1)
        panels[0].imshow(_picture(x), cmap="gray_r")
        panels[0].set_title("image", fontsize=8, pad=2)
        high = float(found.maps[..., :shown].max()) or 1.0
        for index, axes in enumerate(panels[1:]):
            drawn = axes.imshow(found.maps[..., index], cmap=SEQUENTIAL, vmin=min(0.0, found.maps.min()), vmax=high)
            axes.set_title(str(index), fontsize=8, pad=2)
        figure.colorbar(drawn, ax=panels, label="activation", shrink=0.9)
    return figure


def _picture(x: np.ndarray) -> np.ndarray:
    """An image for drawing: one channel as it is, three scaled to between 0 and 1, more by their mean."""
    if x.shape[-1] == 3:
        low, high = x.min(), x.max()
        return (x - low) / (high - low or 1)
    return x.mean(axis=-1)


def shift_figure(found: Any) -> Any:
    """How far feature maps change with a shift of the image, with max pooling and without.

    Args:
        found: A `Features` with `shift`.
    """
    caption = (
        f"{found.title} Change of the feature maps of {found.layer} when test images are shifted: after max pooling,"
        " and for the first value of each tile instead of the greatest. Mean over images and four directions."
    )
    columns = found.shift
    with drawing(caption) as figure:
        axes = figure.subplots()
        lines = (
            ("feature_map", "feature map", BLUE, "o", "-"),
            ("subsampled", "first value of each tile", ORANGE, "s", "--"),
            ("max_pooled", "max pooled", GREEN, "^", "-."),
        )
        for name, label, colour, marker, dash in lines:
            axes.plot(columns["shift"], columns[name], color=colour, marker=marker, linestyle=dash, label=label)
        axes.set_xticks(columns["shift"])
        axes.set_ylim(0)
        axes.set_xlabel("shift of the image (pixels)")
        axes.set_ylabel("change relative to the map's own length")
        axes.legend()
    return figure


def embedding_figure(found: Any, class_names: tuple[str, ...]) -> Any:
    """The last hidden layer in two dimensions, a colour and a marker for each class.

    Args:
        found: A `Features` with an embedding.
        class_names: A name for each class; empty where targets are values.
    """
    embedding = found.embedding
    method = {"tsne": "t-SNE", "pca": "Principal components"}[embedding.method]
    caption = (
        f"{found.title} {method} of the outputs of the layer {embedding.layer} for {len(embedding.points)} examples"
    )
    if embedding.neighbour_accuracy is not None:
        caption += (
            f"; the nearest other example has the same class for {100 * embedding.neighbour_accuracy:.1f} % by this"
            f" layer, for {100 * embedding.neighbour_accuracy_input:.1f} % by the inputs"
        )
    with drawing(caption + ".", width=6.6, height=5) as figure:
        axes = figure.subplots()
        if embedding.neighbour_accuracy is None:
            drawn = axes.scatter(*embedding.points.T, c=embedding.targets, cmap=SEQUENTIAL, s=12)
            figure.colorbar(drawn, label="target")
        else:
            _draw_classes(axes, embedding, class_names)
        axis = {"tsne": "t-SNE dimension", "pca": "principal component"}[embedding.method]
        axes.set_xlabel(f"{axis} 1")
        axes.set_ylabel(f"{axis} 2")
    return figure


def _draw_classes(axes: Any, embedding: Any, class_names: tuple[str, ...]) -> None:
    colours = (*SERIES, "#999999", "#882255", "#117733")
    for index, label in enumerate(np.unique(embedding.targets)):
        points = embedding.points[embedding.targets == label]
        name = class_names[int(label)] if class_names else str(label)
        colour, marker = colours[index % len(colours)], MARKERS[index % len(MARKERS)]
        axes.scatter(*points.T, color=colour, marker=marker, s=16, alpha=0.75, linewidths=0, label=name)
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colour, "alpha": 0.9}
        if len(name) <= 12:
            axes.annotate(name, np.median(points, axis=0), ha="center", va="center", fontsize=10, bbox=box)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9, title="class")


def lines_figure(found: Any, x: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """The notes' detectors of vertical and horizontal lines at work, on a drawn picture and on the image.

    Args:
        found: A `Features`.
        x: The image [height, width, channels].

    Returns:
        The figure, and its numbers.
    """
    images = {"drawn": lined_image(), found.image: np.asarray(_picture(x)).reshape(*x.shape[:2], -1).mean(axis=-1)}
    caption = (
        f"{found.title} Two filters of 3x3 that detect vertical and horizontal lines (left, with their weights), their"
        f" feature maps of a drawn picture and of {found.image}, and the same maps after max pooling of 2x2."
    )
    values: dict[str, Any] = {"filters": DETECTORS, "images": {}}
    with drawing(caption, width=6.8, height=6.4) as figure:
        panels = figure.subplots(4, 4, width_ratios=[0.8, 1, 1, 1])
        for axes in panels.ravel():
            _bare(axes)
        for block, (name, image) in enumerate(images.items()):
            values["images"][name] = {"image": image, "maps": {}, "pooled": {}}
            for row, (kind, kernel) in enumerate(DETECTORS.items(), start=2 * block):
                feature_map = convolved(image, kernel)
                values["images"][name]["maps"][kind] = feature_map
                values["images"][name]["pooled"][kind] = pooled(feature_map)
                _draw_detector(panels[row], kind, kernel, image, feature_map)
        for axes, title in zip(panels[0], ("filter", "image", "feature map", "max pooled"), strict=True):
            axes.set_title(title, fontsize=10)
    return figure, values


def _draw_detector(panels: Any, kind: str, kernel: np.ndarray, image: np.ndarray, feature_map: np.ndarray) -> None:
    panels[0].imshow(kernel, cmap=DIVERGING, vmin=-5, vmax=5)  # pale, so that the weights can be read
    for (row, column), weight in np.ndenumerate(kernel):
        panels[0].text(column, row, f"{weight:g}", ha="center", va="center", fontsize=9)
    panels[0].set_ylabel(kind, fontsize=10)
    panels[1].imshow(image, cmap="gray_r")
    panels[2].imshow(feature_map, cmap="gray_r", vmin=0)
    panels[3].imshow(pooled(feature_map), cmap="gray_r", vmin=0)
