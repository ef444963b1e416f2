"""Other values for an option: each choice, the other truth value, a number elsewhere in its range."""

import math
from collections.abc import Iterator
from typing import Any

from fdl_zoo.option import REQUIRED, Interval, Option, Type

# Free text has no other values that can be made up, except where a name has one meaning everywhere.
_TEXT = {"monitor": "loss"}


def other_values(option: Option) -> Iterator[Any]:
    """Values that the option accepts, none of them its default; none for free text.

    Args:
        option: The option, as read from source.
    """
    default = None if option.default is REQUIRED else option.default
    for value in _values(option.type, option.range or Interval(), default, option.name):
        if value is not None and value != option.default:
            yield value
    if option.type.nullable and option.default is not None:
        yield None


def _values(accepted: Type, interval: Interval, default: Any, name: str) -> Iterator[Any]:
    yield from accepted.choices
    if bool in accepted.scalars:
        yield not default
    if int in accepted.scalars or float in accepted.scalars:
        yield _number(accepted, interval, default)
    elif str in accepted.scalars and name in _TEXT:
        yield _TEXT[name]
    if accepted.item is not None:
        yield from _several(accepted.item, interval, default, name)


def _number(accepted: Type, interval: Interval, default: Any) -> int | float | None:
    """A number inside the interval: twice the default or half of it, or what lies in the middle."""
    start = default if isinstance(default, (int, float)) and not isinstance(default, bool) else None
    middle = (interval.low + interval.high) / 2 if math.isfinite(interval.low + interval.high) else 1.0
    wanted = [start * 2, start / 2] if start else []
    for value in [*wanted, 0.1, 1.0, 2.0, interval.low, interval.low + 1, middle, interval.high]:
        if not math.isfinite(value) or (float not in accepted.scalars and value != int(value)):
            continue
        number = value if float in accepted.scalars else int(value)
        if number in interval and number != start:
            return number
    return None


def _several(item: Type, interval: Interval, default: Any, name: str) -> Iterator[Any]:
    """Tuples of the default's length whose items are moved; of one item where it is empty, none where it is None."""
    if item.choices:
        yield from ((choice,) for choice in item.choices)
        return
    if default is None:  # how many items it takes is not written down
        return
    moved = [next(_values(item, interval, each, name), None) for each in (default or (None,))]
    if None not in moved:
        yield tuple(moved)
