"""What a model is registered as: `NAME` or `NAME@ALIAS`, checked before anything heavy is imported."""

import re

from fdl_zoo.errors import InvalidOption

_NAME = re.compile(r"[^/:@\s][^/:@]*")
_ALIAS = re.compile(r"[A-Za-z0-9_-]+")


def parse_target(target: str) -> tuple[str, str | None]:
    """`NAME` or `NAME@ALIAS` in its parts.

    Raises:
        InvalidOption: A part is none that MLflow takes.
    """
    name, sign, alias = target.partition("@")
    if not _NAME.fullmatch(name):
        raise InvalidOption(f"A model cannot be registered as {target!r}: write NAME or NAME@ALIAS, without / and :.")
    taken = alias == "latest" or re.fullmatch(r"v\d+", alias)
    if sign and (not _ALIAS.fullmatch(alias) or taken):
        raise InvalidOption(
            f"A model cannot have the alias {alias!r}: write letters, digits, - and _, as in {name}@champion"
            " (latest and v1, v2, ... are MLflow's own)."
        )
    return name, alias or None
