"""What the processes of `fdl plugins doctor` run: load one entry, build it with its defaults, say what came of it.

Each message is a line of JSON on the standard output that the process began with; what the plugin prints goes to
its standard error.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from fdl_zoo import backend, catalogue
from fdl_zoo.entry import Entry
from fdl_zoo.errors import ZooError
from fdl_zoo.registry import Registry

# For each kind a law that says by its `left_out` whether an entry can be built here: its data may need a network.
_BUILDABLE = {
    "models": "outputs_a_row_per_example",
    "optimizers": "refuses_bad_options",
    "callbacks": "refuses_bad_options",
    "datasets": "has_three_splits",
}


def main() -> None:
    """Probe the entry named by the process's arguments: sys.path (already set), kind, name."""
    _end_with_the_parent()
    say = _channel()
    _, _, kind, name = sys.argv
    backend.load()
    import fdl_zoo.testing  # noqa: F401 -- what it imports shall not count as the plugin's time

    registry = catalogue.registry(kind)
    entry = registry.find(name)
    phase = "import"
    try:
        say(event="begins", phase=phase)
        started = time.perf_counter()
        registry.load(entry)
        say(event="imported", seconds=time.perf_counter() - started)
        phase = "build"
        say(event="begins", phase=phase)
        say(event="done", message=_build(registry, entry))
    except BaseException as error:
        say(event="failed", phase=phase, message=_cause(registry, entry, phase, error))
    os._exit(0)  # threads that the plugin has started do not keep the process


def _end_with_the_parent() -> None:
    """End this process, whatever it is doing, once the one that started it is gone and so is its end of the pipe."""
    pipe = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a plugin that asks a question gets no answer

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _channel() -> Callable[..., None]:
    """A function that sends a message; from then on standard output goes where errors go."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    return say


def _build(registry: Registry, entry: Entry) -> str:
    """Build it with its defaults; where that cannot be done here, say why."""
    from fdl_zoo.testing import KITS, Subject
    from fdl_zoo.testing.models import setting

    law = next(check for check in KITS[entry.kind] if check.name == _BUILDABLE[entry.kind])
    left_out = law.left_out(entry.name)
    if left_out:
        return left_out
    if entry.kind == "models":
        where = setting(Subject(entry))
        registry.build(entry.name, where.input_shape, where.num_outputs)
    else:
        registry.build(entry.name)
    return ""


def _cause(registry: Registry, entry: Entry, phase: str, error: BaseException) -> str:
    """The recorded cause of a failure; of what was not recorded, such as an interruption, the error itself."""
    for failure in registry.failures():
        if failure.entry == entry.name and failure.phase == phase:
            return failure.message
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, ZooError) else f"{type(error).__name__}: {text}"
