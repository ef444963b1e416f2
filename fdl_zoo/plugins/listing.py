"""Lists plugins: who brings what through which door, in which state. Nothing of them is imported."""

from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import Failure, normalise


def list_plugins() -> list[dict[str, Any]]:
    """The plugins that are looked at, as plain values.

    Returns:
        For each `distribution`, `version`, `door` (`installed` or `folder`), `location`, `entries` (full names with
        their kind), `state` (`ok` or `broken`), `failures` (a sentence each) and `seconds`, the time that reading its
        metadata took. What an import or a build would show is not known here; `diagnose_plugins` finds it out.
    """
    failures = catalogue.failures()
    return [_facts(plugin, failures) for plugin in catalogue.discovery.plugins]


def _facts(plugin: Any, failures: list[Failure]) -> dict[str, Any]:
    own = [str(failure) for failure in failures if normalise(failure.distribution) == normalise(plugin.distribution)]
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "door": plugin.door,
        "location": plugin.location,
        "entries": [f"{entry.kind}: {entry.name}" for entry in plugin.entries],
        "state": "broken" if own else "ok",
        "failures": own,
        "seconds": plugin.seconds,
    }
