"""Cards and signatures read from source: what is read equals what Python would have made, and nothing is run."""

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdl_zoo.card import CARD_FIELDS, Card, Recipe, Reference, Variant
from fdl_zoo.errors import InvalidCard
from fdl_zoo.option import REQUIRED
from fdl_zoo.signature import BASE_OPTIONS
from fdl_zoo.source import read_callable, read_card, read_entry
from fdl_zoo.tasks import TASKS


def card_of(text):
    return read_card(ast.parse(text, mode="eval").body)


def entry_of(tmp_path, text, attribute="build"):
    path = tmp_path / "entry.py"
    path.write_text(text, "utf-8")
    return read_entry(path, attribute)


# ---- cards --------------------------------------------------------------------------------------------------------

words = st.text(max_size=12)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words, st.binary()
)
references = st.builds(Reference, metric=words, value=st.floats(-1e9, 1e9), tolerance=st.floats(0, 1), command=words)
named = st.one_of(words, st.fixed_dictionaries({"name": words, "learning_rate": st.floats(0, 1)}))
recipes = st.builds(
    Recipe,
    optimizer=st.none() | named,
    batch_size=st.none() | st.integers(1) | st.just("full"),
    epochs=st.none() | st.integers(1),
    callbacks=st.none() | st.lists(named, max_size=2).map(tuple),
    drop_remainder=st.none() | st.booleans(),
    reference=st.none() | references,
)
options = st.dictionaries(words, st.recursive(plain, lambda inner: st.lists(inner) | st.tuples(inner)), max_size=3)
variants = st.builds(
    Variant,
    options=options,
    summary=words,
    input_shape=st.none() | st.lists(st.integers(1), max_size=3).map(tuple),
    num_params=st.none() | st.integers(0),
    recipes=st.none() | st.dictionaries(words, recipes, max_size=1),
)
cards = st.builds(
    Card,
    task=st.sampled_from([None, "binary", tuple(TASKS)]),
    chapter=st.none() | st.integers(),
    citation=words,
    input_shape=st.none() | st.lists(st.integers(1) | st.none(), max_size=4).map(tuple),
    num_outputs=st.none() | st.integers(1),
    num_params=st.none() | st.integers(0),
    tags=st.lists(words, max_size=3).map(tuple),
    aliases=st.lists(words, max_size=3).map(tuple),
    capabilities=st.lists(words, max_size=3).map(tuple),
    variants=st.dictionaries(words, options | variants, max_size=2),
    ranges=st.dictionaries(words, st.sampled_from(["[0, 1)", (0, None)]), max_size=2),
    source=words,
    recipes=st.dictionaries(words, recipes, max_size=2),
)


@given(cards)
def test_any_card_written_as_source_is_read_back_equal(card):
    assert card_of(repr(card)) == card


integers = st.recursive(
    st.integers(-9, 9).map(str),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//"]), inner),
        st.builds("({}{})".format, st.sampled_from(["-", "+"]), inner),
    ),
    max_leaves=8,
)


@given(integers)
def test_integer_arithmetic_is_pythons(expression):
    try:
        expected = eval(expression)  # Python itself is the oracle, over digits and operators only
    except ZeroDivisionError:
        with pytest.raises(InvalidCard, match="cannot be evaluated"):
            card_of(f"Card(num_params={expression})")
    else:
        assert card_of(f"Card(num_params={expression})").num_params == expected


def test_a_card_may_be_reached_through_its_module():
    card = card_of("fdl_zoo.Card(recipes={'digits': fdl_zoo.Recipe('adam', reference=card.Reference('loss', 1.5))})")
    assert card.recipes["digits"] == Recipe("adam", reference=Reference("loss", 1.5))


@pytest.mark.parametrize(
    "value",
    [
        "open('/etc/passwd').read()",
        "SHAPE",
        "f'{1}'",
        "[1 for _ in range(3)]",
        "1 if True else 2",
        "10 ** 10 ** 10",
        "(-8) ** 0.5 * 2",
        "1 / 2",
        "1 << 40",
        "'a' + 'b'",
        "'a' * 10**9",
        "[0] * 3",
        "True + 1",
        "-'a'",
        "not True",
        "{**{}}",
        "{1, 2}",
        "(*(), 1)",
        "lambda: 1",
        "Reference('m', 1).value",
        "Card()",
        "10 // 0",
        "10**400 * 1.0",
        "{[1]: 2}",
        "Recipe(momentum=1)",
        "Recipe('adam', optimizer='sgd')",
        "Recipe(**{})",
        "Recipe(callbacks='early_stopping')",
        "Recipe(callbacks=({'patience': 3},))",
        "Recipe(optimizer={'learning_rate': 1})",
        "Recipe(optimizer=5)",
        "Weights('w.weights.h5')",
    ],
)
def test_everything_else_in_a_card_is_refused_in_one_sentence(value, tmp_path):
    source = entry_of(
        tmp_path, f'"""A model."""\nCARD = Card(\n    chapter=3,\n    recipes={value},\n)\ndef build(): ...\n'
    )
    assert source.card == Card()
    assert source.problem.endswith(".")
    assert "\n" not in source.problem
    assert source.summary == "A model."
    assert "line 4" in source.problem or source.problem.startswith("A recipe")


@pytest.mark.parametrize(
    "text",
    [
        "Card('classification')",
        "Card(**facts)",
        "Card(colour='red')",
        "make_card()",
        "dict(task='binary')",
        "{'task': 'binary'}",
        "Card(task='clasification')",
        "Card(task=('classification', 3))",
        "Card(chapter='three')",
        "Card(chapter=True)",
        "Card(num_params=1.5)",
        "Card(tags='dense')",
        "Card(tags=(1,))",
        "Card(aliases=(None,))",
        "Card(capabilities=(b'full_batch',))",
        "Card(input_shape=('a',))",
        "Card(input_shape=(True,))",
        "Card(variants={1: {}})",
        "Card(variants={'small': 3})",
        "Card(ranges={1: '[0, 1)'})",
        "Card(recipes={'digits': {'epochs': 3}})",
        "Card(recipes={3: Recipe()})",
        "None",
    ],
)
def test_a_card_of_wrong_facts_is_refused(text):
    with pytest.raises(InvalidCard) as error:
        card_of(text)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_every_field_of_a_card_is_described():
    assert all(f"\n        {name}: " in Card.__doc__ for name in CARD_FIELDS)


def test_a_variants_card_has_its_own_facts_over_the_files():
    card = Card(
        chapter=5,
        num_params=100,
        input_shape=(28, 28, 1),
        aliases=("cnn",),
        variants={"bn": {"batch_norm": True}, "small": Variant({"units": 2}, input_shape=(8, 8, 1), num_params=7)},
    )
    assert card.variant("bn").num_params is None
    assert card.variant("bn").input_shape == (28, 28, 1)
    assert card.variant("small").num_params == 7
    assert card.variant("small").input_shape == (8, 8, 1)
    assert card.variant("small").aliases == ()
    assert card.variant("small").variants == {}
    assert card.variant("small").chapter == 5
    assert card.variant_options("bn") == {"batch_norm": True}


# ---- files --------------------------------------------------------------------------------------------------------

BUILD = "def build(): ...\n"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"def build(:\n", "cannot be read"),
        (b"\x00\x01", "cannot be read"),
        (b"# -*- coding: no-such-coding -*-\n", "cannot be read"),
        (b"x = '\xff'\n", "cannot be read"),
        (b"", "does not define 'build' itself"),
        (b"from other import build\n", "does not define 'build' itself"),
        (b"build = lambda: None\n", "does not define 'build' itself"),
        (b"class build: ...\n", "does not define 'build' itself"),
        (b"if True:\n    def build(): ...\n", "does not define 'build' itself"),
        (b"CARD = Card(num_params=" + b"1+" * 1_500 + b"1)\ndef build(): ...\n", "nested too deeply"),
        (b"x = " + b"1+" * 20_000 + b"1\ndef build(): ...\n", "cannot be read"),
        (b"CARD = " + b"(" * 150 + b"1" + b")" * 150 + b"\ndef build(): ...\n", "CARD cannot be read"),
        (b"def build(*, x=Recipe(bad=1)): ...\n", "The default of 'x'"),
        (b"def build(*, x=1//0): ...\n", "The default of 'x'"),
        (b"def build(*, x={[1]: 2}): ...\n", "The default of 'x'"),
        (b"def build(*, x='a'.upper()): ...\n", "The default of 'x'"),
        (b"def build(*, x: 'int |' = 1): ...\n", "cannot be annotated"),
        (b"def build(*, x: '\\0' = 1): ...\n", "cannot be annotated"),
        (b"def build(*, x: Initializer = 1): ...\n", "cannot be annotated 'Initializer'"),
        (b"def build(*, x: list[int] = 1): ...\n", "cannot be annotated 'list[int]'"),
        (b"def build(*, x: tuple[int, int] = 1): ...\n", "cannot be annotated"),
        (b"def build(*, x: Literal[1 // 0] = 1): ...\n", "cannot be evaluated"),
        (
            b"CARD = Card(ranges={'y': '[0, 1)'})\ndef build(*, x: int = 1): ...\n",
            "a range for 'y', which is no option",
        ),
        (b"CARD = Card(ranges={'x': 'positive'})\ndef build(*, x: int = 1): ...\n", "A range cannot be 'positive'"),
    ],
)
def test_an_odd_file_is_a_problem_and_never_an_exception(content, part, tmp_path):
    path = tmp_path / "entry.py"
    path.write_bytes(content)
    source = read_entry(path)
    assert part in source.problem
    assert "\n" not in source.problem.strip()
    assert source.options == {}


def test_a_missing_file_and_a_folder_are_problems(tmp_path):
    assert "cannot be read" in read_entry(tmp_path / "nothing.py").problem
    assert "cannot be read" in read_entry(tmp_path).problem


def test_other_encodings_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "entry.py"
    path.write_bytes('# -*- coding: latin-1 -*-\r\n"""Café."""\r\ndef build(): ...\r\n'.encode("latin-1"))
    assert read_entry(path).summary == "Café."
    path.write_bytes(b"\xef\xbb\xbf" + '"""Café."""\n'.encode() + BUILD.encode())
    assert read_entry(path).summary == "Café."


def test_what_python_warns_of_in_a_file_is_not_printed_by_a_listing(tmp_path, recwarn):
    assert entry_of(tmp_path, "PATTERN = '\\d'\nCARD = Card(chapter=5)\n" + BUILD).card.chapter == 5
    assert list(recwarn) == []


def test_a_huge_file_is_read(tmp_path):
    text = '"""Huge."""\n' + "x = [1, 2, 3]\n" * 3_000 + "CARD = Card(chapter=5)\n" + BUILD
    assert entry_of(tmp_path, text).card.chapter == 5


def test_nothing_in_the_file_is_run(tmp_path):
    marker = tmp_path / "marker"
    text = f"open({str(marker)!r}, 'w').close()\nraise SystemExit\nCARD = Card(chapter=1)\n{BUILD}"
    assert entry_of(tmp_path, text).card.chapter == 1
    assert not marker.exists()


def test_an_annotated_card_and_one_without_value(tmp_path):
    assert entry_of(tmp_path, "CARD: Card = Card(chapter=2)\n" + BUILD).card.chapter == 2
    assert entry_of(tmp_path, "CARD: Card\nCARD = Card(chapter=2)\n" + BUILD).card.chapter == 2


# ---- signatures ---------------------------------------------------------------------------------------------------

SIGNATURE = '''
"""A model (chapter 3)."""
from typing import Literal, Optional
import typing

CARD = Card(ranges={"rate": "(0, inf)"})


def build(
    input_shape: tuple[int, ...] = (1,),
    num_outputs: int = 1,
    *,
    context=None,
    rate: float = 1e-3,
    units: tuple[int, ...] = (256, 2 * 128),
    kind: Literal["step", "cosine"] = "step",
    norm: float | None = None,
    quoted: "int | None" = 3,
    mode: typing.Literal["a", None] = None,
    name: str,
    signed: int = -1,
):
    """Builds it.

    Args:
        rate: The rate: a number,
            which is positive.

            It may fall: see the schedule.
        units (tuple): Neurons.
        **base: Ignored here.
        kind: One of
            two.

    Returns:
        norm: no option's line.
    """
'''


def test_a_signature_becomes_options(tmp_path):
    source = entry_of(tmp_path, SIGNATURE)
    assert source.problem == ""
    assert list(source.options) == ["rate", "units", "kind", "norm", "quoted", "mode", "name", "signed"]
    assert "input_shape" in source.parameters
    assert "context" in source.parameters
    texts = {name: (str(option.type), option.default) for name, option in source.options.items()}
    assert texts == {
        "rate": ("float", 0.001),
        "units": ("several int", (256, 256)),
        "kind": ("one of step, cosine", "step"),
        "norm": ("float or none", None),
        "quoted": ("int or none", 3),
        "mode": ("one of a or none", None),
        "name": ("str", REQUIRED),
        "signed": ("int", -1),
    }
    assert str(source.options["rate"].range) == "(0, inf)"
    assert source.options["kind"].choices == ("step", "cosine")


def test_lines_of_args_are_joined_and_stop_at_the_next_section(tmp_path):
    options = entry_of(tmp_path, SIGNATURE).options
    assert options["rate"].help == "The rate: a number, which is positive. It may fall: see the schedule."
    assert options["units"].help == "Neurons."
    assert options["kind"].help == "One of two."
    assert options["norm"].help == ""


def test_a_live_function_is_read_as_its_source_is(tmp_path):
    text = SIGNATURE.replace("from typing", "from fdl_zoo.card import Card\nfrom typing")
    space = {}
    exec(compile(text, "entry", "exec"), space)
    live, read = read_callable(space["build"], space["CARD"]), entry_of(tmp_path, text)
    assert live.options == read.options
    assert live.card == read.card
    assert set(live.parameters) == set(read.parameters)


@pytest.mark.parametrize(
    "signature",
    [
        "*, rate: float = 0.1, **base",
        "*, weight_decay: float = 0.5, use_ema: bool = True, **base",
        "*layers, rate=0.1",
        "rate=1, flag=False, name='x', other=None",
    ],
)
def test_base_options_and_untyped_arguments_are_the_same_live_and_from_source(signature, tmp_path):
    space = {}
    exec(f"def build({signature}): ...", space)
    read = entry_of(tmp_path, f"def build({signature}): ...\n")
    assert dict(read_callable(space["build"], Card()).options) == dict(read.options)
    if "**base" in signature:
        assert read.options.keys() >= BASE_OPTIONS.keys()
    if "weight_decay" in signature:
        assert read.options["weight_decay"].default == 0.5


def test_a_live_function_keeps_the_contract_too():
    def wrong(*, rate: list = ()): ...

    def right(*, rate: float = 1.0): ...

    with pytest.raises(InvalidCard, match="cannot be annotated 'list'"):
        read_callable(wrong, Card())
    with pytest.raises(InvalidCard, match="which is no option"):
        read_callable(right, Card(ranges={"speed": "[0, 1]"}))


def test_base_options_are_those_of_keras():
    from keras.src.optimizers.base_optimizer import BaseOptimizer

    parameters = dict(inspect.signature(BaseOptimizer.__init__).parameters)
    for name in ("self", "learning_rate", "name", "kwargs"):
        parameters.pop(name, None)
    assert {name: each.default for name, each in parameters.items()} == {
        name: option.default for name, option in BASE_OPTIONS.items()
    }


def test_unions_with_a_literal_are_read_live_and_from_source(tmp_path):
    text = (
        "from typing import Literal, Optional, Union\n"
        "def build(*, a: Literal['x'] | None = None, b: int | Literal['auto'] = 'auto', c: Optional[int] = 1,\n"
        "          d: Union[int, str, None] = 1, e: tuple[Literal['x', 'y'], ...] = ()): ...\n"
    )
    space = {}
    exec(text, space)
    live, read = read_callable(space["build"], Card()), entry_of(tmp_path, text)
    assert live.options == read.options
    assert [str(option.type) for option in read.options.values()] == [
        "one of x or none",
        "int or one of auto",
        "int or none",
        "int or str or none",
        "several one of x, y",
    ]
