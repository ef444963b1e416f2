"""Check, Subject, Outcome and Report: a law, what it is held against, and what came of it."""

import unittest
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import Entry
from fdl_zoo.errors import ZooError
from fdl_zoo.option import REQUIRED

# Grows when a law is added or changed: a report says which laws it is about.
KIT_VERSION = 1


@dataclass(frozen=True)
class Subject:
    """An entry under test.

    Args:
        entry: The entry.
        given: Options that every build gets, for entries that have options without default.
    """

    entry: Entry
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its registered name."""
        return self.entry.name

    def build(self, *args: Any, **options: Any) -> Any:
        """Build it by name, as a user does."""
        return catalogue.registry(self.entry.kind).build(self.name, *args, **{**self.given, **options})


def always(subject: Subject) -> str:
    """A law that holds for every entry: no reason to leave it out."""
    return ""


def never(subject: Subject) -> bool:
    """A check that is cheap for every entry."""
    return False


def costly(subject: Subject) -> bool:
    """A check that takes long for every entry."""
    return True


@dataclass(frozen=True)
class Check:
    """One law of the contract. Call it with an entry's name, and options where the entry has required ones.

    Args:
        kind: The kind of entry that it is for.
        name: What it is called in reports and in test ids.
        law: The law in one sentence.
        function: Raises AssertionError where the law is broken.
        unless: Says why the law does not concern an entry; empty where it does.
        slow: Says whether it takes long for an entry.
    """

    kind: str
    name: str
    law: str
    function: Callable[[Subject], None]
    unless: Callable[[Subject], str] = always
    slow: Callable[[Subject], bool] = never

    def subject(self, name: str, **given: Any) -> Subject:
        """The entry of a name, as a subject of this check."""
        return Subject(catalogue.registry(self.kind).find(name), given)

    def left_out(self, name: str, **given: Any) -> str:
        """Why this check says nothing about an entry; empty where it applies."""
        subject = self.subject(name, **given)
        missing = [
            option.name
            for option in subject.entry.options.values()
            if option.default is REQUIRED and option.name not in given
        ]
        if missing:
            return f"{subject.name} needs the option {missing[0]!r}: give it to the check."
        return self.unless(subject)

    def __call__(self, name: str, **given: Any) -> None:
        """Hold the law against an entry.

        Raises:
            AssertionError: The law is broken; the message says how, in one sentence.
            unittest.SkipTest: The law does not concern the entry (pytest reports it as skipped).
        """
        reason = self.left_out(name, **given)
        if reason:
            raise unittest.SkipTest(reason)
        subject = self.subject(name, **given)
        try:
            self.function(subject)
        except AssertionError as error:
            raise AssertionError(f"{subject.name} breaks {self.name!r}: {error}") from error
        except Exception as error:
            cause = str(error).strip().partition("\n")[0]
            raise AssertionError(f"{subject.name} breaks {self.name!r}: {type(error).__name__}: {cause}") from error


def law(
    kit: list[Check],
    kind: str,
    *,
    unless: Callable[[Subject], str] = always,
    slow: Callable[[Subject], bool] = never,
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """A decorator that adds a function to a kit; its docstring is the law, its name the check's."""

    def add(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        kit.append(Check(kind, function.__name__, (function.__doc__ or "").strip(), function, unless, slow))
        return function

    return add


def require(holds: bool, otherwise: str) -> None:
    """Raise AssertionError with a sentence unless something holds; unlike `assert`, also under `python -O`."""
    if not holds:
        raise AssertionError(otherwise)


def refused(build: Callable[[], Any]) -> bool:
    """Whether building is refused with one of our errors."""
    try:
        build()
    except ZooError:
        return True
    return False


@dataclass(frozen=True)
class Outcome:
    """What came of one check on one entry.

    Args:
        kind: The entry's kind.
        entry: Its name.
        check: The check's name.
        status: `passed`, `failed`, `skipped` (the law does not concern it), `excused` (a known failure) or `stale`
            (an excuse for what passes).
        message: Why, where it did not pass.
    """

    kind: str
    entry: str
    check: str
    status: str
    message: str = ""


@dataclass
class Report:
    """The outcomes of a suite."""

    outcomes: list[Outcome] = field(default_factory=list)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def count(self, *statuses: str) -> int:
        """How many outcomes have one of these statuses."""
        return sum(outcome.status in statuses for outcome in self.outcomes)

    @property
    def ran(self) -> int:
        """How many checks ran; those that do not concern an entry did not."""
        return len(self.outcomes) - self.count("skipped")

    @property
    def failures(self) -> list[Outcome]:
        """What fails the suite: broken laws and stale excuses."""
        return [outcome for outcome in self.outcomes if outcome.status in ("failed", "stale")]

    @property
    def passed(self) -> bool:
        """Whether something ran and nothing failed."""
        return self.ran > 0 and not self.failures

    @property
    def summary(self) -> str:
        """The counts on one line."""
        words = ("passed", "failed", "stale", "excused", "skipped")
        return ", ".join(f"{self.count(word)} {word}" for word in words if self.count(word) or word == "passed")

    def require_passed(self) -> None:
        """Fail where a law is broken, an excuse is stale, or nothing ran.

        Raises:
            AssertionError: With a line per failure.
        """
        require(self.ran > 0, f"No check ran ({self.summary}): a suite that tests nothing proves nothing.")
        require(not self.failures, "\n".join(outcome.message for outcome in self.failures))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "kit_version": KIT_VERSION,
            "ran": self.ran,
            "passed": self.passed,
            "summary": self.summary,
            "outcomes": [vars(outcome) for outcome in self.outcomes],
        }
