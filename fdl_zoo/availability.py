"""Whether a TFDS set can be had: prepared on this disk, or fetched over the network. Standard library only.

It answers within five seconds and is asked before TensorFlow loads, where TFDS itself would retry for minutes.
"""

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

from fdl_zoo.errors import InvalidData

PROBE_SECONDS = 3.0
_DEFAULT_HOST = "https://storage.googleapis.com"
_HOSTS = {
    "mnist": _DEFAULT_HOST,
    "fashion_mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "cifar10": "https://www.cs.toronto.edu",
    "imdb_reviews": "https://ai.stanford.edu",
}
_INSTEAD = {"imdb_reviews": "digits_rows"}  # an embedded set for the same models


def parse_source(source: str) -> tuple[str, ...]:
    """The parts of a card's source: `"tfds:imdb_reviews/plain_text:1.0.0"` is name, configuration if any, version.

    Raises:
        InvalidData: The source does not name a TFDS set.
    """
    scheme, _, rest = source.partition(":")
    if scheme != "tfds" or not rest:
        raise InvalidData(f"The source {source!r} is no TFDS set: write it as 'tfds:mnist:3.0.1'.")
    name, _, version = rest.partition(":")
    return (*name.split("/"), *([version] if version else []))


def prepared_folder(source: str, data_dir: str | None = None) -> Path:
    """Where TFDS keeps this set: below `data_dir`, else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(root).expanduser().joinpath(*parse_source(source))


def is_prepared(source: str, data_dir: str | None = None) -> bool:
    """Whether the set lies there whole: TFDS writes `dataset_info.json` last, and then renames the folder."""
    return (prepared_folder(source, data_dir) / "dataset_info.json").is_file()


def host(source: str) -> str:
    """The address that serves the raw data of a set."""
    return _HOSTS.get(parse_source(source)[0], _DEFAULT_HOST)


def is_reachable(address: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a server answers in time, whatever it answers; in a thread, since looking up a name has no time limit."""
    answers: list[bool] = []

    def probe() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds):
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)  # an answer such as 403 still comes from the server
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
        name, folder = parse_source(source)[0], prepared_folder(source, data_dir)
        root = folder.parents[len(parse_source(source)) - 1]
        raise InvalidData(
            f"{name} cannot be loaded: it is not prepared in {folder}, and {host(source)} did not answer within "
            f"{PROBE_SECONDS:g} seconds; place a prepared copy below {root}, name its folder with --data-dir, "
            f"or use {_INSTEAD.get(name, 'digits')}, which works now."
        )
    return found
