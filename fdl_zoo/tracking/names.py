"""Names and values in a form that MLflow takes, and nested ones flat."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fdl_zoo.tracking.secrets import redacted, without_secrets

MAX_KEY, MAX_VALUE = 250, 6000


def flattened(values: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted names with values as text; lists of named things by their names, secrets left out."""
    if isinstance(values, list) and values and all(isinstance(each, dict) and "name" in each for each in values):
        values = _by_name(values)
    if isinstance(values, Mapping) and (values or not prefix):
        for name, value in values.items():
            yield from flattened(value, f"{prefix}.{name}" if prefix else str(name))
    else:
        values = without_secrets(values, prefix)
        text = redacted(values if isinstance(values, str) else json.dumps(values, default=str))
        yield safe_key(prefix), text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def safe_key(name: str) -> str:
    """A name of a metric, parameter or tag with what MLflow refuses replaced: `top@5` becomes `top_5`."""
    parts = re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII).split("/")
    return "/".join(part if part.strip(".") else "_" for part in parts)[:MAX_KEY]


def _by_name(values: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Named things by their names; the second of the same name is `name_2`."""
    found, seen = {}, Counter()
    for each in values:
        name = each["name"]
        seen[name] += 1
        options = {key: value for key, value in each.items() if key != "name"}
        found[name if seen[name] == 1 else f"{name}_{seen[name]}"] = options
    return found
