"""Holds the conformance suite against a plugin by its distribution's name: what `fdl plugins test` runs."""

from collections.abc import Mapping
from typing import Any

from fdl_zoo import backend, catalogue
from fdl_zoo.errors import UnknownName


def check_plugin(
    distribution: str, *, excuses: Mapping[tuple[str, str], str] | None = None, verbose: bool = False
) -> Any:
    """Hold every law against everything that a distribution registers, and report without raising for what fails.

    Args:
        distribution: The plugin's distribution.
        excuses: A reason for each `(name, check)` that is known to fail.
        verbose: Let TensorFlow's messages through.

    Returns:
        A `fdl_zoo.testing.Report`: `passed`, `ran`, `failures`, `summary` and the outcome of each check.

    Raises:
        UnknownName: No such plugin is looked at; says why, before TensorFlow loads.
    """
    reason = catalogue.discovery.absent(distribution)
    if reason:
        raise UnknownName(
            f"The plugin {distribution!r} cannot be tested: it is {reason}; `fdl plugins` lists those here."
        )
    backend.load(verbose)
    from fdl_zoo import testing

    return testing.check_plugin(distribution, excuses=excuses)
