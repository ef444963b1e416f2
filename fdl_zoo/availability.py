"""Whether a TFDS set can be had: prepared on this disk, or fetched over the network. Standard library only.

It answers within five seconds and is asked before TensorFlow loads, where TFDS itself would retry for minutes.
"""

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from fdl_zoo.errors import InvalidData

PROBE_SECONDS = 3.0
_OF_A_PROXY = (407, 502, 503, 504)  # what a proxy answers where it cannot or will not reach the server
_DEFAULT_HOST = "https://storage.googleapis.com"
_HOSTS = {
    "mnist": _DEFAULT_HOST,
    "fashion_mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "cifar10": "https://www.cs.toronto.edu",
    "imdb_reviews": "https://ai.stanford.edu",
}
_NAMES = re.compile(r"[A-Za-z]\w*(/\w[\w.+-]*)?(:\d+\.\d+\.\d+)?")
_INSTEAD = {"imdb_reviews": "digits_rows"}  # an embedded set for the same models


def parse_source(source: str) -> tuple[str, ...]:
    """The parts of a card's source: `"tfds:imdb_reviews/plain_text:1.0.0"` is name, configuration and version if any.

    Raises:
        InvalidData: The source does not name a TFDS set.
    """
    scheme, _, rest = source.partition(":")
    if scheme != "tfds" or not rest:
        raise InvalidData(f"The source {source!r} is no TFDS set: write it as 'tfds:mnist:3.0.1'.")
    if not _NAMES.fullmatch(rest):
        raise InvalidData(
            f"The TFDS set {rest!r} cannot be read: write NAME, NAME:VERSION or NAME/CONFIGURATION:VERSION, such as"
            " mnist:3.0.1."
        )
    name, _, version = rest.partition(":")
    return (*name.split("/"), *([version] if version else []))


def source_of(stated: str, options: Mapping[str, Any]) -> str | None:
    """The TFDS set that a dataset reads: that of its option `source`, else of its card; None where it reads none."""
    source = f"tfds:{options['source']}" if "source" in options else stated
    return source if source.startswith("tfds:") else None


def data_root(data_dir: str | None = None) -> Path:
    """Where TFDS keeps its sets: `data_dir`, else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared_folder(source: str, data_dir: str | None = None) -> Path:
    """Where TFDS keeps this set below `data_root`; where no version is named, that of the newest prepared one."""
    return data_root(data_dir).joinpath(*parse_source(pinned(source, data_dir)))


def pinned(source: str, data_dir: str | None = None) -> str:
    """The source with the version, and the configuration where there is one only, of the newest prepared set.

    Unchanged where it names a version already, or where nothing is prepared.
    """
    parts = parse_source(source)
    if ":" in source.removeprefix("tfds:"):
        return source
    folder = data_root(data_dir).joinpath(*parts)
    found = list(folder.glob("*/dataset_info.json")) or list(folder.glob("*/*/dataset_info.json"))
    versions = {each.parent: _numbers(each.parent.name) for each in found}
    known = [each for each in versions if versions[each]]
    if not known or len({each.parent for each in known}) > 1 or (len(parts) > 1 and known[0].parent != folder):
        return source
    newest = max(known, key=versions.__getitem__)
    return f"tfds:{'/'.join(newest.parent.relative_to(data_root(data_dir)).parts)}:{newest.name}"


def _numbers(version: str) -> tuple[int, ...]:
    """A version to be compared; empty where it is none."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+\.\d+\.\d+", version) else ()


def is_prepared(source: str, data_dir: str | None = None) -> bool:
    """Whether the set lies there whole: TFDS writes `dataset_info.json` last, and then renames the folder."""
    return (prepared_folder(source, data_dir) / "dataset_info.json").is_file()


def host(source: str) -> str:
    """The address that serves the raw data of a set."""
    return _HOSTS.get(parse_source(source)[0], _DEFAULT_HOST)


def is_reachable(address: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a server answers in time, whatever it answers; a proxy's failure to reach it is no answer.

    In a thread, since looking up a name has no time limit.
    """
    answers: list[bool] = []

    def probe() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds):
                answers.append(True)
        except urllib.error.HTTPError as error:
            answers.append(error.code not in _OF_A_PROXY)  # another one, such as 403, comes from the server itself
        except (OSError, ValueError):
            answers.append(False)

    thread = threading.Thread(target=probe, name="fdl-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers and answers[0])


def availability(source: str, data_dir: str | None = None) -> Literal["prepared", "reachable", "absent"]:
    """Whether a set is prepared on this disk, could be fetched now, or neither; within five seconds."""
    if is_prepared(source, data_dir):
        return "prepared"
    return "reachable" if is_reachable(host(source)) else "absent"


def require(source: str, data_dir: str | None = None) -> Literal["prepared", "reachable"]:
    """As `availability`, but a set that cannot be had is an error.

    Args:
        source: A card's source, for example `"tfds:mnist:3.0.1"`.
        data_dir: The folder in which TFDS keeps prepared sets.

    Raises:
        InvalidData: The set is neither prepared nor reachable.
    """
    found = availability(source, data_dir)
    if found == "absent":
        name, folder, root = parse_source(source)[0], prepared_folder(source, data_dir), data_root(data_dir)
        raise InvalidData(
            f"{name} cannot be loaded: it is not prepared in {folder}, and {host(source)} did not answer within "
            f"{PROBE_SECONDS:g} seconds; place a prepared copy below {root}, name its folder with --data-dir, "
            f"or use {_INSTEAD.get(name, 'digits')}, which works now."
        )
    return found
