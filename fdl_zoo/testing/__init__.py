"""The conformance kit: the laws that every entry keeps, for our own entries and for plugins.

In a plugin's tests, two lines check everything that its distribution registers:

    from fdl_zoo.testing import conformance

    @conformance("models", origin="my-plugin")
    def test_models(name, check):
        check(name)

Without pytest, `check_model("my-plugin/name")` holds every law against one entry and returns a `Report`, and
`check_plugin("my-plugin")` does so for all that a distribution registers. A law that an entry is known to break is
excused with a reason, `excuses={("my-plugin/name", "comes_back_from_a_file"): "keras issue 123"}`; an excuse for a law
that holds fails.

`fdl plugins test my-plugin` does the same from the command line. A suite that ran nothing fails.

The kit seeds Keras's random generators and computes on small data. The names of this module stay; `KIT_VERSION` grows
when a law is added or changed, and is part of every report's `as_dict()`. plugins/README.md has the laws in a table.
"""

from fdl_zoo.testing.check import KIT_VERSION, Check, Outcome, Report, Subject
from fdl_zoo.testing.suite import (
    KITS,
    check_callback,
    check_dataset,
    check_model,
    check_optimizer,
    check_plugin,
    conformance,
    run,
)

__all__ = [
    "KITS",
    "KIT_VERSION",
    "Check",
    "Outcome",
    "Report",
    "Subject",
    "check_callback",
    "check_dataset",
    "check_model",
    "check_optimizer",
    "check_plugin",
    "conformance",
    "run",
]
