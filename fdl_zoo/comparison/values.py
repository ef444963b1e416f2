"""What a sweep varies and what a search draws from, read from text: `optimizer=sgd,adam`, `1e-4..1:log`."""

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from fdl_zoo.errors import InvalidSpec

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INTEGERS = re.compile(r"([+-]?\d+)\.\.([+-]?\d+)")
_GRID = re.compile(rf"({_NUMBER})\.\.({_NUMBER}):log(\d*)")
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")
PER_DECADE = 2
MOST_VALUES = 10_000


def read_vary(text: str) -> tuple[str, tuple[Any, ...]]:
    """`PATH=VALUES` as the path and its values.

    Values are separated by commas and read as YAML; `0..4` is every integer from 0 to 4, `1e-4..1:log5` a logarithmic
    grid with five values per decade (two where no number is given).

    Raises:
        InvalidSpec: There is no such path or list.
    """
    path, given = _parts("--vary", text, "optimizer=sgd,adam or seed=0..4")
    values = tuple(value for item in _items(path, given) for value in _expanded(path, item))
    if not values:
        raise InvalidSpec(f"--vary {path} cannot be empty: write values, for example {path}=1,2.")
    unique: dict[str, Any] = {}
    for value in values:
        unique.setdefault(_identity(value), value)
    return path, tuple(unique.values())


def log_grid(text: str) -> tuple[float, ...]:
    """`LOW..HIGH:logN` as numbers of three digits, N per decade, both ends included.

    Raises:
        InvalidSpec: It is no such grid.
    """
    match = _GRID.fullmatch(text.strip())
    if not match:
        raise InvalidSpec(f"Learning rates cannot be {text!r}: write a grid, for example 1e-4..1:log2, or none.")
    return _grid(text, match)


@dataclass(frozen=True)
class Range:
    """What one option is searched in: either `choices`, or the numbers from `low` to `high`.

    Args:
        path: The option, for example `optimizer.learning_rate`.
        low: The smallest number.
        high: The largest number.
        log: Draw evenly in the logarithm.
        integer: Draw integers.
        choices: Values to choose from; empty where numbers are drawn.
    """

    path: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()


def read_search(text: str) -> Range:
    """`PATH=LOW..HIGH`, `PATH=LOW..HIGH:log` or `PATH=A,B,C` as a range.

    Raises:
        InvalidSpec: It is none of these, or the range is empty.
    """
    path, given = _parts("--search", text, "optimizer.learning_rate=1e-4..1e-1:log")
    match = _RANGE.fullmatch(given)
    if not match:
        if ".." in given:
            raise InvalidSpec(f"--search {path} cannot be {given!r}: write LOW..HIGH or LOW..HIGH:log, or A,B,C.")
        return Range(path, choices=tuple(_items(path, given)))
    low, high = float(match[1]), float(match[2])
    if low >= high:
        raise InvalidSpec(f"--search {path} cannot be {given!r}: the lower end comes first, and is below the other.")
    if match[3] and low <= 0:
        raise InvalidSpec(f"--search {path} cannot be {given!r}: a logarithmic range begins above 0.")
    integer = _INTEGERS.match(given) is not None and "." not in match[1] + match[2] and "e" not in given.lower()
    return Range(path, low, high, log=bool(match[3]), integer=integer)


def _parts(flag: str, text: str, example: str) -> tuple[str, str]:
    path, sign, given = (part.strip() for part in text.partition("="))
    if not sign or not given or not all(path.split(".")):
        raise InvalidSpec(f"{flag} cannot be {text!r}: write PATH=VALUES, for example {example}.")
    return path, given


def _items(path: str, given: str) -> list[Any]:
    try:
        return [_number_or(item) for item in yaml.safe_load(f"[{given}]")]
    except (yaml.YAMLError, ValueError):
        raise InvalidSpec(f"The values of {path} cannot be {given!r}: separate them by commas.") from None


def _number_or(item: Any) -> Any:
    """`1e-3` as the number that it is: YAML takes it for text, as it has no point."""
    is_number = isinstance(item, str) and re.fullmatch(_NUMBER, item) and "e" in item.lower()
    return float(item) if is_number else item


def _identity(value: Any) -> str:
    """What two values share that are the same setting: 0 and 0.0 are, and 1 and true are not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value) if is_number and abs(value) < 2**53 else value)


def _expanded(path: str, item: Any) -> tuple[Any, ...]:
    if not isinstance(item, str) or ".." not in item:
        return (item,)
    if grid := _GRID.fullmatch(item):
        return _grid(item, grid)
    match = _INTEGERS.fullmatch(item)
    if match and int(match[2]) - int(match[1]) >= MOST_VALUES:
        raise InvalidSpec(f"{path} cannot vary over {item!r}: that is more than {MOST_VALUES} values; give fewer.")
    if not match or int(match[1]) > int(match[2]):
        raise InvalidSpec(f"{path} cannot vary over {item!r}: write 0..4 for integers, or 1e-4..1:log2 for a grid.")
    return tuple(range(int(match[1]), int(match[2]) + 1))


def _grid(text: str, match: re.Match[str]) -> tuple[float, ...]:
    low, high, count = float(match[1]), float(match[2]), int(match[3] or PER_DECADE)
    if not 0 < low < high or not 1 <= count <= 100 or math.isinf(high):
        raise InvalidSpec(f"A grid cannot be {text!r}: it goes from above 0 upwards, 1 to 100 values per decade.")
    steps = math.floor(math.log10(high / low) * count + 1e-9)
    return tuple(float(f"{low * 10 ** (step / count):.3g}") for step in range(steps + 1))
