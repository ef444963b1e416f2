"""What is never written down: users and passwords in addresses, and values whose key says that they are secret."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"
# A password may have any sign in it, a slash too, so what follows `user:` is hidden up to the last @ of the word, also
# where it looks like a port and a path: those are believed of hosts only that are nobody's name.
_HOST = r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[\da-fA-F:.]+\]):\d{1,5}[/?#]"
_USER = re.compile(rf"(?<=://)(?!{_HOST})(?:[^\s/@:]*:\S*|[^\s/]*)@(?=\S)")
_KEY = (
    r"(?![\w.-]*(?:start|end|pad|mask|unk|oov|bos|eos|cls|sep)[_-]?token\b)"  # of a vocabulary
    r"[\w.-]*?(?:password|passwd|pwd|passphrase|secret|token|credentials?|(?:api|access|private|account)[_-]?key"
    r"|(?<![a-z])(?:sig|signature|authorization))"
)
_SECRET_KEY = re.compile(_KEY, re.IGNORECASE)
_ASSIGNED = re.compile(rf"(?<![\w.-])({_KEY}['\"]?\s?[=:]\s?['\"]?(?:(?:bearer|basic)\s+)?)[^\s&'\"]+", re.IGNORECASE)


def is_secret(key: str) -> bool:
    """Whether a key names a secret: `data.password`, `AWS_SECRET_ACCESS_KEY`, `--api-key`, but not `num_tokens`."""
    return _SECRET_KEY.fullmatch(key) is not None


def redacted(text: str) -> str:
    """The text with users and passwords of addresses, and values of `password=`, `token:` and the like, left out."""
    return _ASSIGNED.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))


def without_secrets(value: Any, key: str = "") -> Any:
    """Plain values at any depth with every text redacted, and what stands under a secret key left out."""
    if isinstance(value, Mapping):
        return {str(name): without_secrets(each, str(name)) for name, each in value.items()}
    if value not in (None, "") and not isinstance(value, bool) and is_secret(key):
        return HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return value


def redacted_yaml(text: str) -> str:
    """A specification as YAML without its secrets; as it is where it has none."""
    import yaml

    given = yaml.safe_load(text)
    clean = without_secrets(given)
    return text if clean == given else yaml.safe_dump(clean, sort_keys=False, default_flow_style=None, width=120)


def redacted_command(arguments: Sequence[str]) -> str:
    """A command line as a shell takes it, without its secrets."""
    shown = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        key, sign, _ = argument.partition("=")
        if sign and is_secret(key):  # hidden whole, with blanks and quotes
            argument = f"{key}={HIDDEN}"
        elif before.startswith("-") and is_secret(before):
            argument = HIDDEN
        shown.append(redacted(argument))
    return shlex.join(shown)
