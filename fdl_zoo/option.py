"""Option: one option of a `build` function, its type, default and range, and how a value is brought to them."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fdl_zoo.errors import InvalidCard, InvalidOption

REQUIRED = type("Required", (), {"__repr__": lambda self: "required"})()
PLAIN = (int, float, bool, str, type(None), list, tuple, dict)


@dataclass(frozen=True)
class Type:
    """What an annotation accepts.

    Args:
        scalars: Those of `bool, int, float, str` that are accepted; empty and without choices and item: anything.
        choices: The values of a `Literal`.
        item: The type of each item where a tuple is accepted.
        nullable: Whether None is accepted.
    """

    scalars: tuple[type, ...] = ()
    choices: tuple[Any, ...] = ()
    item: "Type | None" = None
    nullable: bool = False

    def __or__(self, other: "Type") -> "Type":
        return Type(
            self.scalars + other.scalars,
            self.choices + other.choices,
            self.item or other.item,
            self.nullable or other.nullable,
        )

    def __str__(self) -> str:
        words = [kind.__name__ for kind in self.scalars]
        if self.choices:
            words.append("one of " + ", ".join(map(str, self.choices)))
        if self.item:
            words.append(f"several {self.item}")
        if not words:
            return "any"
        return " or ".join(words + ["none"] * self.nullable)

    def convert(self, value: Any) -> Any:
        """The value in this type; text and YAML's types are understood (`"1e-3"` is a float, `[2, 3]` a tuple).

        Raises:
            ValueError: It cannot be brought to this type.
        """
        if not (self.scalars or self.choices or self.item):
            return value
        if value is None and self.nullable:
            return None
        for choice in self.choices:
            if _is_choice(value, choice):
                return choice
        if self.nullable and isinstance(value, str) and value.lower() in ("none", "null"):
            return None
        for kind in (bool, int, float):
            if kind in self.scalars:
                converted = _scalar(kind, value)
                if converted is not None:
                    return converted
        if self.item and not (isinstance(value, str) and str in self.scalars):
            return tuple(self.item.convert(each) for each in _items(value))
        if str in self.scalars and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
        raise ValueError(value)


def _is_choice(value: Any, choice: Any) -> bool:
    """Whether the value is this choice, or the text that a shell gives for it; 1 is not True."""
    same = isinstance(value, bool) == isinstance(choice, bool) and value == choice
    return same or (isinstance(value, str) and value == str(choice))


def _scalar(kind: type, value: Any) -> bool | int | float | None:
    """The value as this kind, or None where it is not one."""
    if kind is bool:
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        return value if isinstance(value, bool) else words.get(value.lower()) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # OverflowError: an integer beyond the largest float
        return value if kind is int and isinstance(value, int) else None
    if kind is float:
        return number
    if isinstance(value, int):
        return value
    if not number.is_integer():
        return None
    return int(value) if isinstance(value, str) and value.lstrip("+-").isdigit() else int(number)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
    if isinstance(value, Mapping):
        raise ValueError(value)
    return value if isinstance(value, (list, tuple)) else [value]


@dataclass(frozen=True)
class Interval:
    """An accepted interval, in the notation of mathematics: `[0, 1)` holds 0 and not 1."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def read(cls, stated: Any) -> "Interval":
        """From a card's range: text such as `"(0, inf)"`, or a pair of closed bounds of which None is no bound."""
        if isinstance(stated, (tuple, list)) and len(stated) == 2:
            low, high = stated
            return cls(-math.inf if low is None else low, math.inf if high is None else high)
        match = re.fullmatch(r"\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*", str(stated))
        try:
            left, low, high, right = match.groups() if match else ("", "", "", "")
            return cls(float(low), float(high), left == "(", right == ")")
        except ValueError:
            raise InvalidCard(f'A range cannot be {stated!r}: write it as "[0, 1)" or as a pair (0, 1).') from None

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self) -> str:
        left, right = "[("[self.low_open or self.low == -math.inf], "])"[self.high_open or self.high == math.inf]
        return f"{left}{self.low:g}, {self.high:g}{right}"


def _numbers(value: Any) -> Iterator[float]:
    """The numbers of a value, at any depth of tuples."""
    if isinstance(value, tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, (int, float)):
        yield value


@dataclass(frozen=True)
class Option:
    """One option of an entry.

    Args:
        name: Its keyword.
        type: What it accepts.
        default: Its default, or `REQUIRED`.
        help: Its line in the docstring's Args.
        range: The interval that its numbers lie in; None for all.
    """

    name: str
    type: Type = field(default_factory=Type)
    default: Any = REQUIRED
    help: str = ""
    range: Interval | None = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal`; empty where any value of the type goes."""
        return self.type.choices

    def convert(self, value: Any, owner: str) -> Any:
        """The value in this option's type and range.

        Args:
            value: A plain value. Any other object (a schedule, an initializer) is passed through: Keras judges it.
            owner: The entry's name, for the message.

        Raises:
            InvalidOption: Another type, or outside the range.
        """
        if not isinstance(value, PLAIN):
            return value
        try:
            converted = self.type.convert(value)
        except ValueError:
            raise InvalidOption(f"{owner}: {self.name} cannot be {value!r}: it is {self._accepted()}.") from None
        for number in _numbers(converted):
            if self.range and number not in self.range:
                raise InvalidOption(f"{owner}: {self.name} cannot be {value!r}: it lies in {self.range}.")
        return converted

    def _accepted(self) -> str:
        article = "" if not self.type.scalars else "an " if self.type.scalars[0] is int else "a "
        return f"{article}{self.type}" + (f" in {self.range}" if self.range else "")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "name": self.name,
            "type": str(self.type),
            "default": None if self.default is REQUIRED else self.default,
            "required": self.default is REQUIRED,
            "choices": list(self.choices),
            "range": str(self.range) if self.range else None,
            "help": self.help,
        }


def convert_options(options: Mapping[str, Option], values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Every given value in its option's type and range.

    Raises:
        InvalidOption: An unknown option (with the closest names), or a value that is not accepted.
    """
    converted = {}
    for name, value in values.items():
        if name not in options:
            raise InvalidOption(unknown_option(name, options, owner))
        converted[name] = options[name].convert(value, owner)
    return converted


def unknown_option(name: str, options: Iterable[str], owner: str) -> str:
    """The sentence for an option that an entry does not have."""
    names = list(options)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"{owner} has no option {name!r}: did you mean {' or '.join(close)}?"
    return f"{owner} has no option {name!r}: it has {', '.join(names) or 'none'}."
