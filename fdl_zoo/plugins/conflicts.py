"""Names and distributions that get into each other's way without being an error: what `fdl plugins doctor` notes."""

from collections.abc import Iterator

from fdl_zoo import catalogue
from fdl_zoo.discovery import Plugin
from fdl_zoo.entry import Entry, normalise
from fdl_zoo.registry import Registry


def conflicts() -> list[str]:
    """A sentence for each short name that needs its distribution, and each distribution that is there several times."""
    shared = [sentence for registry in catalogue.REGISTRIES.values() for sentence in _short_names(registry)]
    return [*shared, *_copies(catalogue.discovery.plugins)]


def _short_names(registry: Registry) -> Iterator[str]:
    """Entries of plugins whose bare name means a built-in, or nothing since several have it."""
    claims: dict[str, list[Entry]] = {}
    built_in: set[str] = set()
    for entry in registry.entries():
        if entry.door == "built-in":
            built_in.update(map(normalise, (entry.name, *entry.card.aliases)))
        elif entry.door in ("installed", "folder"):
            claims.setdefault(normalise(entry.short_name), []).append(entry)
    for short, entries in claims.items():
        names = " or ".join(entry.name for entry in entries)
        if short in built_in:
            yield f"The {registry.noun} name {short!r} is the built-in's: write {names} for the plugin's."
        elif len(entries) > 1:
            yield f"The {registry.noun} name {short!r} is claimed by several plugins: write {names}."


def _copies(plugins: list[Plugin]) -> Iterator[str]:
    """Distributions that are there several times, as an editable install beside a wheel is."""
    found: dict[str, dict[tuple[str, str], Plugin]] = {}
    for plugin in plugins:
        found.setdefault(normalise(plugin.distribution), {})[plugin.location, plugin.version] = plugin
    for copies in found.values():
        if len(copies) > 1:
            places = " and ".join(f"{each.version or 'no version'} in {each.location}" for each in copies.values())
            first = next(iter(copies.values()))
            yield f"{first.distribution} is there {len(copies)} times, {places}: uninstall all but one."
