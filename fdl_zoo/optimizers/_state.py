"""Whether a saved state is exactly that of the optimizer it is loaded into; Keras would warn and go on without it."""

import itertools
from collections.abc import Sequence
from typing import Any

from fdl_zoo.errors import InvalidData


def check(layout: str, values: Sequence[Any], own_layout: str, variables: Sequence[Any], built: bool) -> None:
    """Refuse a state that does not fit.

    Args:
        layout: What the state was saved as: the class and its slots by name; empty where nothing says so.
        values: Its tensors, by position.
        own_layout: What the optimizer's state is.
        variables: The optimizer's variables, by position.
        built: Whether the optimizer has been built for a model's variables.

    Raises:
        InvalidData: The optimizer is not built, or the state is of other options, shapes or another optimizer.
    """
    if layout != own_layout:
        raise InvalidData(
            f"The state of {layout or 'another optimizer, or of none,'} cannot be loaded into {own_layout}: "
            "make the optimizer with the saved one's class and options, or load the weights before `compile`."
        )
    if not built and len(values) > len(variables):
        raise InvalidData(
            f"A state of {len(values)} tensors cannot be loaded into {own_layout} before it is built: "
            "call `optimizer.build(model.trainable_variables)` first."
        )
    saved, own = [tuple(value.shape) for value in values], [tuple(variable.shape) for variable in variables]
    if saved != own:
        raise InvalidData(
            f"A state of {len(saved)} tensors cannot be loaded into {own_layout} with {len(own)}: the first difference "
            f"in shape is {first_difference(saved, own)}; the model or the options are not those that were saved."
        )


def first_difference(saved: Sequence[tuple[int, ...]], own: Sequence[tuple[int, ...]]) -> str:
    """The first place where two lists of shapes differ, in words."""
    pairs = enumerate(itertools.zip_longest(saved, own, fillvalue="none"))
    index, (left, right) = next((index, pair) for index, pair in pairs if pair[0] != pair[1])
    return f"{left} against {right} at position {index}"
