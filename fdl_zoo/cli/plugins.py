"""`fdl plugins`: third-party entries, who brings them, and what is wrong with them."""

from typing import Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, honour_strict, width


@click.group("plugins", invoke_without_command=True)
@common_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """List plugins, and find out what is wrong with one. A plugin is code: it runs when it is used."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plugins)


@command.command("list")
@common_options
@click.pass_context
def list_plugins(ctx: click.Context) -> None:
    """List plugins; nothing of them is imported."""
    from fdl_zoo import catalogue

    honour_strict(ctx)
    failures = catalogue.failures()
    found = [_facts(plugin, failures) for plugin in catalogue.discovery.plugins]
    rows = [("plugin", "version", "door", "entries", "state")]
    rows += [
        (each["distribution"], each["version"], each["door"], str(len(each["entries"])), each["state"])
        for each in found
    ]
    emit(ctx, found, columns(rows, width()) if found else "No plugins: README says how to write one.")


@command.command("doctor")
@common_options
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Load each plugin's entries and say what fails and why."""
    from fdl_zoo import backend, catalogue
    from fdl_zoo.errors import ZooError

    plugins = catalogue.discovery.plugins
    if plugins:
        backend.load()
    for registry in catalogue.REGISTRIES.values():
        for entry in registry.entries():
            if entry.door in ("installed", "folder"):
                try:
                    registry.load(entry)
                except ZooError:
                    continue  # recorded by the registry, and shown below
    failures = catalogue.failures()
    facts = {"plugins": [_facts(each, failures) for each in plugins], "failures": [vars(each) for each in failures]}
    text = "\n".join(str(failure) for failure in failures) or f"{len(plugins)} plugins, no problem."
    emit(ctx, facts, text)
    ctx.exit(1 if failures else 0)


def _facts(plugin: Any, failures: list) -> dict[str, Any]:
    own = [str(failure) for failure in failures if failure.distribution == plugin.distribution]
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
