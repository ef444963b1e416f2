"""Options: values brought to an annotation's type and range, and the one sentence for those that cannot be."""

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdl_zoo.errors import InvalidCard, InvalidOption
from fdl_zoo.option import REQUIRED, Interval, Option, Type, convert_options
from fdl_zoo.signature import read_annotation


def typed(annotation):
    return read_annotation(ast.parse(annotation, mode="eval").body, "option")


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("float", "1e-3", 0.001),
        ("float", 1, 1.0),
        ("float", "1_000", 1000.0),
        ("float", "inf", math.inf),
        ("int", "12", 12),
        ("int", "+12", 12),
        ("int", 3.0, 3),
        ("int", "1e3", 1000),
        ("int", 2**70, 2**70),
        ("int", str(2**70), 2**70),
        ("int", 10**400, 10**400),
        ("bool", "yes", True),
        ("bool", "OFF", False),
        ("bool", True, True),
        ("str", "none", "none"),
        ("str", "null", "null"),
        ("str", 3, "3"),
        ("str", "", ""),
        ("str | None", "None", None),
        ("float | None", None, None),
        ("float | None", "null", None),
        ("Literal['none', 'mean']", "none", "none"),
        ("Literal['none', 'mean'] | None", "none", "none"),
        ("Literal['none', 'mean'] | None", None, None),
        ("Literal[1, 2]", "2", 2),
        ("Literal[1, 2]", 2.0, 2),
        ("Literal[1, True]", True, True),
        ("Literal['auto'] | int", "5", 5),
        ("Literal['auto'] | int", "auto", "auto"),
        ("float | Literal['full']", "full", "full"),
        ("tuple[int, ...]", "(2, 3)", (2, 3)),
        ("tuple[int, ...]", "256", (256,)),
        ("tuple[int, ...]", 256, (256,)),
        ("tuple[int, ...]", [2, "3"], (2, 3)),
        ("tuple[int, ...]", "[]", ()),
        ("tuple[tuple[int, ...], ...]", [[1, 2], [3]], ((1, 2), (3,))),
        ("tuple[float, ...] | None", "none", None),
        ("bool | float", "0.5", 0.5),
    ],
)
def test_values_are_brought_to_the_type(annotation, value, expected):
    converted = typed(annotation).convert(value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", 1.5),
        ("int", "1.5"),
        ("int", True),
        ("int", "inf"),
        ("int", math.nan),
        ("int", None),
        ("float", "fast"),
        ("float", True),
        ("float", [1.0]),
        ("float", 10**400),
        ("bool", 1),
        ("bool", "maybe"),
        ("str", None),
        ("str", True),
        ("str", ["a"]),
        ("Literal[1, 2]", True),
        ("Literal[0, 1]", False),
        ("Literal[True, 'auto']", 1),
        ("Literal['a']", None),
        ("tuple[int, ...]", {"a": 1}),
        ("tuple[int, ...]", "a,b"),
        ("tuple[int, ...]", [1, None]),
        ("tuple[int, ...]", None),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(annotation, value):
    option = Option("units", typed(annotation), REQUIRED)
    with pytest.raises(InvalidOption) as error:
        option.convert(value, "mlp")
    message = str(error.value)
    assert message.startswith(f"mlp: units cannot be {value!r}: it is ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("stated", "inside", "outside"),
    [
        ("[0, 1)", (0, 0.999), (1, -1e-9, math.nan)),
        ("(0, inf)", (1e-300, 1e300), (0, math.inf, math.nan)),
        ("(-inf, inf)", (0, -1e300), (math.inf, -math.inf, math.nan)),
        ("[0, inf]", (math.inf,), (-1,)),
        ((1, None), (1, 10**9), (0,)),
        ((None, 0.5), (0.5, -3), (0.6,)),
        (" ( -1 ,1 ] ", (1,), (-1,)),
    ],
)
def test_intervals_in_the_notation_of_mathematics(stated, inside, outside):
    interval = Interval.read(stated)
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in outside)


@pytest.mark.parametrize("stated", ["0..1", "[0 1]", "[a, b]", "", "[0, 1", (1,), (1, 2, 3), 5, None])
def test_a_malformed_range_is_refused(stated):
    with pytest.raises(InvalidCard, match="A range cannot be"):
        Interval.read(stated)


@given(
    low=st.floats(allow_nan=False),
    high=st.floats(allow_nan=False),
    brackets=st.sampled_from(["()", "[]", "[)", "(]"]),
    value=st.floats(allow_nan=False),
)
def test_an_interval_holds_what_its_text_says(low, high, brackets, value):
    interval = Interval.read(f"{brackets[0]}{low!r}, {high!r}{brackets[1]}")
    above = value >= low if brackets[0] == "[" else value > low
    below = value <= high if brackets[1] == "]" else value < high
    assert (value in interval) == (above and below)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("float", "1.5"), ("tuple[float, ...]", [0.5, 1]), ("tuple[tuple[float, ...], ...]", [[2]])],
)
def test_a_value_outside_the_range_names_the_range(annotation, value):
    option = Option("dropout", typed(annotation), 0.0, range=Interval.read("[0, 1)"))
    with pytest.raises(InvalidOption) as error:
        option.convert(value, "mlp")
    assert str(error.value) == f"mlp: dropout cannot be {value!r}: it lies in [0, 1)."


def test_type_and_range_stand_in_the_sentence():
    option = Option("units", Type((int,), nullable=True), None, range=Interval(1))
    with pytest.raises(InvalidOption) as error:
        option.convert("many", "mlp")
    assert str(error.value) == "mlp: units cannot be 'many': it is an int or none in [1, inf)."


def test_an_object_that_is_no_plain_value_is_left_to_keras():
    schedule = object()
    assert Option("learning_rate", Type((float,)), 0.1).convert(schedule, "adam") is schedule


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lerning_rate", "adam has no option 'lerning_rate': did you mean learning_rate?"),
        ("zzz", "adam has no option 'zzz': it has learning_rate, beta_1."),
    ],
)
def test_an_unknown_option_is_answered_with_the_closest(name, sentence):
    options = {each: Option(each, Type((float,)), 0.1) for each in ("learning_rate", "beta_1")}
    with pytest.raises(InvalidOption) as error:
        convert_options(options, {name: 1}, "adam")
    assert str(error.value) == sentence


def test_an_entry_without_options_says_so():
    with pytest.raises(InvalidOption, match="it has none"):
        convert_options({}, {"x": 1}, "adam")


@given(
    st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.booleans(), st.none(), st.lists(st.integers()))
)
def test_conversion_is_idempotent(value):
    for annotation in ("int", "float", "str | None", "bool", "tuple[int, ...]", "int | Literal['full']", "float | str"):
        accepted = typed(annotation)
        try:
            once = accepted.convert(value)
        except ValueError:
            continue
        assert repr(accepted.convert(once)) == repr(once)  # as text: nan equals itself
