"""A model's layers by the book's formula: output width = (width - extent + 2 padding) / stride + 1 (chapter 5)."""

from typing import Any


def layer_rows(model: Any) -> list[dict[str, Any]]:
    """A row per layer: its name, type, output shape, parameter count, and how the shape follows.

    Args:
        model: A built `keras.Model`.

    Returns:
        Dictionaries with `name`, `type`, `output_shape` (None for the batch axis), `params`, `formula`.
    """
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(_shape(layer)),
            "params": layer.count_params(),
            "formula": _formula(layer),
        }
        for layer in model.layers
    ]


def summary(model: Any) -> str:
    """Keras's table of a model's layers as plain text, the parts of nested models too."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, expand_nested=True, line_length=100)
    return "\n".join(lines) + "\n"


def _shape(layer: Any) -> tuple[int | None, ...]:
    output = layer.output[0] if isinstance(layer.output, (list, tuple)) else layer.output
    return tuple(output.shape)


def output_width(width: int, extent: int, stride: int, same: bool) -> tuple[int, int]:
    """The book's formula along one axis.

    Args:
        width: Of the input volume.
        extent: Of the filter or pooling window.
        stride: Between two applications.
        same: Whether zeros pad the input so that the output has width / stride, rounded up; else there are none.

    Returns:
        The output's width, and the zeros added over both sides.
    """
    padding = max((-(-width // stride) - 1) * stride + extent - width, 0) if same else 0
    return (width - extent + padding) // stride + 1, padding


def _formula(layer: Any) -> str:
    extent = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if extent is not None and hasattr(layer, "padding"):
        extent = (extent,) if isinstance(extent, int) else tuple(extent)
        width = layer.input.shape[1]
        stride = layer.strides if isinstance(layer.strides, int) else layer.strides[0]
        result, padding = output_width(width, extent[0], stride, layer.padding == "same")
        return f"({width} - {extent[0]} + {padding})/{stride} + 1 = {result}"
    units = getattr(layer, "units", None)
    if units and getattr(layer, "kernel", None) is not None and len(layer.kernel.shape) == 2:
        bias = f" + {units}" if getattr(layer, "bias", None) is not None else ""
        return f"{layer.kernel.shape[0]}*{units}{bias} weights"
    return ""


def main_input(layer: Any) -> Any:
    """The symbolic tensor that a layer of a functional model reads, its mask left out; several as Keras lists them."""
    return input_and_mask(layer)[0]


def input_and_mask(layer: Any) -> tuple[Any, Any]:
    """The symbolic tensor that a layer of a functional model reads, and which of its steps are there; None for all."""
    read = layer.input
    masked = isinstance(read, list | tuple) and len(read) == 2 and read[1].dtype == "bool"
    return tuple(read) if masked else (read, None)
