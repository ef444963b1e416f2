"""The four kits, and the functions that hold them against entries: one by one, a plugin at a time, or in pytest."""

import unittest
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import KINDS, normalise
from fdl_zoo.testing import callbacks, datasets, models, optimizers
from fdl_zoo.testing.check import Check, Outcome, Report, require

KITS: dict[str, tuple[Check, ...]] = {
    "models": tuple(models.KIT),
    "optimizers": tuple(optimizers.KIT),
    "callbacks": tuple(callbacks.KIT),
    "datasets": tuple(datasets.KIT),
}
Excuses = Mapping[tuple[str, str], str]


def check_model(name: str, *, excuses: Excuses | None = None, **options: Any) -> Report:
    """Hold every law of models against one.

    Args:
        name: Its registered name, `distribution/name` for a plugin's.
        excuses: A reason for each `(name, check)` that is known to fail.
        **options: Options that every build gets.

    Returns:
        What came of each check.

    Raises:
        AssertionError: A law is broken, an excuse is stale, or no check ran.
    """
    return _checked("models", name, excuses, options)


def check_optimizer(name: str, *, excuses: Excuses | None = None, **options: Any) -> Report:
    """Hold every law of optimizers against one; see `check_model`."""
    return _checked("optimizers", name, excuses, options)


def check_callback(name: str, *, excuses: Excuses | None = None, **options: Any) -> Report:
    """Hold every law of callbacks against one; see `check_model`."""
    return _checked("callbacks", name, excuses, options)


def check_dataset(name: str, *, excuses: Excuses | None = None, **options: Any) -> Report:
    """Hold every law of datasets against one; see `check_model`."""
    return _checked("datasets", name, excuses, options)


def _checked(kind: str, name: str, excuses: Excuses | None, options: Mapping[str, Any]) -> Report:
    report = run(kind, [name], excuses=excuses, options={name: options})
    report.require_passed()
    return report


def check_plugin(distribution: str, *, excuses: Excuses | None = None) -> Report:
    """Hold every law against everything that a distribution registers, and report without raising.

    Args:
        distribution: The plugin's distribution; `fdl_zoo` for our own entries.
        excuses: A reason for each `(name, check)` that is known to fail.

    Returns:
        What came of each check; `report.require_passed()` raises if something failed or nothing ran.
    """
    names = {kind: catalogue.registry(kind).names(origin=distribution) for kind in KINDS}
    listed = {name for each in names.values() for name in each}
    report = Report(_set_aside(distribution, listed))
    for name, check in excuses or {}:
        require(name in listed, f"The excuse for {(name, check)} is for no entry of {distribution}: take it away.")
    for kind in KINDS:
        concerned = {key: reason for key, reason in (excuses or {}).items() if key[0] in names[kind]}
        report.outcomes += run(kind, names[kind], excuses=concerned).outcomes
    return report


def _set_aside(distribution: str, listed: Container[str]) -> list[Outcome]:
    """A failure for each entry that no check reaches: its name is malformed or contested, or its metadata damaged."""
    return [
        Outcome(failure.kind, failure.entry, "registration", "failed", str(failure))
        for failure in catalogue.failures()
        if normalise(failure.distribution) == normalise(distribution) and failure.entry not in listed
    ]


def run(
    kind: str,
    names: Iterable[str],
    *,
    excuses: Excuses | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Report:
    """Hold a kit against entries and report, without raising for what fails.

    Args:
        kind: `models`, `optimizers`, `callbacks` or `datasets`.
        names: The entries.
        excuses: A reason for each `(name, check)` that is known to fail.
        options: Options that every build of a name gets.

    Raises:
        AssertionError: An excuse is for no check of these entries, or has no reason.
    """
    found = list(pairs(kind, names))
    excuses = dict(excuses or {})
    _check_excuses(kind, found, excuses)
    given = options or {}
    return Report(
        [_outcome(check, name, excuses.get((name, check.name), ""), given.get(name, {})) for name, check in found]
    )


def pairs(kind: str, names: Iterable[str] | None = None, origin: str | None = None) -> Iterator[tuple[str, Check]]:
    """Every check of a kind with every entry of it, variants included, entry by entry.

    Args:
        kind: `models`, `optimizers`, `callbacks` or `datasets`.
        names: The entries; all that are registered if None.
        origin: Only those of one distribution.
    """
    for name in catalogue.registry(kind).names(origin=origin) if names is None else names:
        for check in KITS[kind]:
            yield name, check


def _outcome(check: Check, name: str, excuse: str, options: Mapping[str, Any]) -> Outcome:
    try:
        check(name, **options)
    except unittest.SkipTest as reason:
        return Outcome(check.kind, name, check.name, "skipped", str(reason))
    except AssertionError as failure:
        status, message = ("excused", excuse) if excuse else ("failed", str(failure))
        return Outcome(check.kind, name, check.name, status, message)
    if excuse:
        return Outcome(
            check.kind, name, check.name, "stale", f"{name} keeps {check.name!r}: take the excuse away ({excuse})"
        )
    return Outcome(check.kind, name, check.name, "passed")


def _check_excuses(kind: str, found: Iterable[tuple[str, Check]], excuses: Excuses) -> None:
    known = {(name, check.name) for name, check in found}
    for key, reason in excuses.items():
        require(key in known, f"The excuse for {key} is for no check of these {kind}: take it away.")
        require(bool(reason.strip()), f"The excuse for {key} gives no reason: write it down.")


def conformance(
    kind: str,
    names: Iterable[str] | None = None,
    *,
    origin: str | None = None,
    excuses: Excuses | None = None,
    slow: Any = None,
) -> Callable:
    """A pytest decorator: the test gets each `(name, check)` as arguments `name` and `check`, with a readable id.

    An excused check is an expected failure: it must fail, or the excuse is stale and the test fails.

    Args:
        kind: `models`, `optimizers`, `callbacks` or `datasets`.
        names: The entries; all that are registered if None.
        origin: Only those of one distribution.
        excuses: A reason for each `(name, check)` that is known to fail.
        slow: A mark for checks that take long, for example `pytest.mark.slow`.

    Raises:
        AssertionError: There is nothing to test, or an excuse is for no check of these entries.
    """
    import pytest

    found = list(pairs(kind, names, origin))
    excuses = dict(excuses or {})
    require(bool(found), f"There are no {kind} to test{f' of {origin}' if origin else ''}: is the plugin installed?")
    _check_excuses(kind, found, excuses)

    def parameter(name: str, check: Check) -> Any:
        marks = []
        if (name, check.name) in excuses:
            marks.append(pytest.mark.xfail(raises=AssertionError, reason=excuses[name, check.name], strict=True))
        if slow is not None and check.slow(check.subject(name)):
            marks.append(slow)
        return pytest.param(name, check, id=f"{name}-{check.name}", marks=marks)

    return pytest.mark.parametrize(("name", "check"), [parameter(name, check) for name, check in found])
