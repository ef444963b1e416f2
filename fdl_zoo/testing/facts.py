"""Laws that concern what an entry's file says, the same for every kind."""

from collections.abc import Iterator
from typing import Any

from fdl_zoo.entry import normalise
from fdl_zoo.errors import InvalidOption
from fdl_zoo.option import REQUIRED, Option
from fdl_zoo.testing.check import Check, Subject, law, require


def add_facts(kit: list[Check], kind: str) -> None:
    """Put these laws at the head of a kit."""
    for function in (reads_from_source, documents_its_options, refuses_bad_options):
        law(kit, kind)(function)


def reads_from_source(subject: Subject) -> None:
    """Card, signature and summary are read from the file without importing it."""
    source = subject.entry.source
    require(not source.problem, source.problem)
    summary = subject.entry.summary
    require(bool(summary), "its module has no docstring, whose first line is what the catalogue prints.")
    require(
        "\n" not in summary and len(summary) <= 120, f"its summary {summary!r} is no line of at most 120 characters."
    )


def documents_its_options(subject: Subject) -> None:
    """Every option has a line in the docstring's Args and a default that it accepts itself."""
    for option in subject.entry.options.values():
        require(bool(option.help), f"the option {option.name!r} has no line in the docstring's Args.")
        if option.default is not REQUIRED:
            converted = option.convert(option.default, subject.name)
            require(converted == option.default, f"{option.name}={option.default!r} reads back as {converted!r}.")


def refuses_bad_options(subject: Subject) -> None:
    """An option that is unknown, of another type or outside its range is refused in one sentence."""
    for wrong in _wrong_options(subject):
        try:
            subject.build(**wrong)
        except InvalidOption as error:
            (name,) = wrong
            require(name in str(error), f"the message for {wrong} does not name the option: {error}")
            continue
        raise AssertionError(f"{wrong} is accepted.")


def _wrong_options(subject: Subject) -> Iterator[dict[str, Any]]:
    yield {"no_such_option": 1}
    for option in subject.entry.options.values():
        if _typed(option):
            yield {option.name: {"no": "such value"}}
        if option.range is not None:
            low, high = option.range.low, option.range.high
            outside = next((value for value in (low - 1, high + 1) if abs(value) != float("inf")), None)
            if outside is not None:
                yield {option.name: int(outside) if float(outside).is_integer() else outside}


def _typed(option: Option) -> bool:
    return bool(option.type.scalars or option.type.choices or option.type.item)


def package_of(subject: Subject) -> str:
    """The package under which an entry's classes are registered with Keras: its distribution."""
    return subject.entry.distribution


def stays_out_of_packages(subject: Subject) -> str:
    """Why an entry need not register its classes: it comes from Keras or from a notebook."""
    door = subject.entry.door
    return (
        f"{subject.name} comes from {door}, which is no distribution of its own."
        if door in ("keras", "notebook")
        else ""
    )


def is_own_package(registered: str, subject: Subject) -> bool:
    """Whether a registered name such as `my-plugin>Layer` names the subject's distribution."""
    package, separator, _ = registered.partition(">")
    return bool(separator) and normalise(package) == normalise(package_of(subject))
