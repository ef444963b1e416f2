"""A run's folder, `mlruns/runs/NAME/`: specification, facts, history and outcome. It is the truth about the run.

| file | what |
|---|---|
| `spec.yaml` | the resolved specification |
| `run.json` | name, status, reason, final metrics, and the facts: command, versions, data, choices |
| `history.jsonl` | a synced line per epoch, and per N steps where asked for |
| `checkpoints/` `artifacts/` `model/` | states to resume from; files that are mirrored; the packaged model |
| `owner.json` `lock` | who trains it |
| `sent.json` `unsent` | how far the tracking store has been brought up to date, and that it is not yet |
"""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdl_zoo.errors import RunInUse, TrackingError, UnknownName, ZooError
from fdl_zoo.tracking.files import Lock, write_atomically, write_json
from fdl_zoo.tracking.history import History, decoded, encoded
from fdl_zoo.tracking.owner import Owner, is_alive, read_owner
from fdl_zoo.tracking.secrets import redacted, redacted_yaml, without_secrets

ROOT = Path("mlruns")
ENDED = ("FINISHED", "FAILED", "KILLED")


class RunFolder:
    """The folder of one run, to be read by anybody and written by its owner.

    Made by `RunFolder.create` (a new run, which this process then owns) or `RunFolder.open` (to read; `acquire` makes
    this process the owner, to resume). Properties are read from disk each time, so they are true while another
    process trains.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = Lock(self.path / "lock")
        self._owner: Owner | None = None
        self._writing = threading.RLock()
        self._history = History(self.path / "history.jsonl")

    @classmethod
    def create(cls, name: str, *, spec: str, facts: Mapping[str, Any], root: Path = ROOT) -> "RunFolder":
        """Makes the folder of a new run and takes it.

        Args:
            name: A name as `new_name` makes it; no run of this root may have it.
            spec: The resolved specification as YAML.
            facts: What is known at the start: command, versions, ...; may be completed by `update_facts`.
            root: The folder that holds `runs/`.

        Raises:
            TrackingError: The name is taken or is no name of a folder, or the folder cannot be written.
        """
        if name in (".", "..") or Path(name).name != name:
            raise TrackingError(f"A run cannot be named {name!r}: a name is one folder below {root}/runs.")
        folder = cls(Path(root).resolve() / "runs" / name)
        try:
            folder.path.parent.mkdir(parents=True, exist_ok=True)
            folder.path.mkdir()
            folder._own(timeout=0)
            folder.checkpoints.mkdir()
            folder.artifacts.mkdir()
            write_atomically(folder.path / "spec.yaml", redacted_yaml(spec))
            folder._write(
                {"name": name, "uid": os.urandom(16).hex(), "status": "RUNNING", "reason": "", "started": time.time()}
                | {"ended": None, "metrics": {}, "facts": without_secrets(facts)}
            )
        except FileExistsError as error:
            if not folder.path.parent.is_dir():
                raise TrackingError(
                    f"The run's folder {folder.path} cannot be made: {folder.path.parent} is a file; move it away."
                ) from error
            raise TrackingError(f"A run cannot be named {name!r}: {folder.path} exists; leave the name out.") from error
        except OSError as error:
            raise TrackingError(f"The run's folder {folder.path} cannot be made: {error.strerror}.") from error
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run that exists, to be read.

        Raises:
            TrackingError: There is no readable `run.json` in it.
        """
        folder = cls(Path(path).resolve())
        folder._read()
        return folder

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The folder that holds `runs/`."""
        return self.path.parent.parent

    @property
    def checkpoints(self) -> Path:
        """The folder of states to resume from."""
        return self.path / "checkpoints"

    @property
    def has_state(self) -> bool:
        """Whether there is a state to resume from; the best one so far, kept for the end, is none."""
        return any(self.checkpoints.glob("state-*.npz"))

    @property
    def artifacts(self) -> Path:
        """The folder whose files are all mirrored to the tracking store."""
        return self.path / "artifacts"

    @property
    def model(self) -> Path:
        """Where the packaged model lies once there is one."""
        return self.path / "model"

    @property
    def spec(self) -> str:
        """The resolved specification as YAML."""
        return (self.path / "spec.yaml").read_text(encoding="utf-8")

    @property
    def uid(self) -> str:
        """What tells this run from one of the same name on another machine."""
        return self._read()["uid"]

    @property
    def facts(self) -> dict[str, Any]:
        """What was recorded about the run."""
        return self._read()["facts"]

    @property
    def started(self) -> float:
        """When it started, in seconds since 1970."""
        return self._read()["started"]

    @property
    def ended(self) -> float | None:
        """When it ended, in seconds since 1970; None while it runs."""
        return self._read()["ended"]

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED, KILLED, or INTERRUPTED where its owner died without a word."""
        status = self._read()["status"]
        return "INTERRUPTED" if status == "RUNNING" and not self.is_owned else status

    @property
    def is_owned(self) -> bool:
        """Whether a process that is alive trains it."""
        return self._lock.held or is_alive(self._owner_file)

    @property
    def reason(self) -> str:
        """Why it ended as it did; empty where it simply finished."""
        if self.status == "INTERRUPTED":
            return "its process died"
        return self._read()["reason"]

    @property
    def is_sweep(self) -> bool:
        """Whether it is the record of a sweep over runs, and no training by itself."""
        return (self.facts.get("sweep") or {}).get("role") == "parent"

    @property
    def continuation(self) -> str:
        """The command that goes on with it: of a sweep its own, which trains only what is missing."""
        if self.is_sweep:
            return self.facts.get("command") or "fdl compare"
        return f"fdl resume {self.name}"

    @property
    def metrics(self) -> dict[str, float]:
        """The final metrics; empty until it ended."""
        return decoded(self._read()["metrics"])

    @property
    def run_id(self) -> str | None:
        """The tracking store's id of the run; None until it is known, and without tracking."""
        try:
            return json.loads((self.path / "sent.json").read_text(encoding="utf-8"))["run_id"]
        except (OSError, ValueError, KeyError):
            return None

    def acquire(self) -> None:
        """Makes this process the owner of a run that ended or was interrupted, to resume it: it is RUNNING again.

        Raises:
            RunInUse: Another process trains it.
        """
        if is_alive(self._owner_file) or not self._own(timeout=1.0):
            raise RunInUse(f"The run {self.name} cannot be resumed: {self._owner_in_words()} trains it; stop it first.")
        self._write(self._read() | {"status": "RUNNING", "reason": "", "ended": None})

    def update_facts(self, **facts: Any) -> None:
        """Adds to the facts; those of the same name are replaced."""
        with self._writing:
            record = self._read()
            self._write(record | {"facts": record["facts"] | without_secrets(facts)})

    def append_history(self, *lines: Mapping[str, Any]) -> None:
        """Appends lines to the history and returns once they are on disk.

        Args:
            *lines: Each `{"epoch": 3, "step": 69, "time": ..., "metrics": {"loss": ...}}`; a missing time is now.

        Raises:
            TrackingError: The disk is full or gone.
        """
        self._history.append(*lines)

    def history(self) -> list[dict[str, Any]]:
        """The lines of the history in their order; a torn line, as a crash leaves it, is left out."""
        return [line.values for line in self._history.read()]

    def cut_history(self, step: int, epochs: int | None = None) -> None:
        """Removes what follows the checkpoint that a resumed run starts from: lines after a step or so many epochs."""
        self._history.cut(step, epochs)

    def finish(self, status: str, reason: str = "", metrics: Mapping[str, float] | None = None) -> None:
        """Records how the run ended, and lets it go.

        Args:
            status: FINISHED, FAILED or KILLED.
            reason: Why, in a sentence; empty where it simply finished.
            metrics: The final metrics, for example `test_accuracy`.
        """
        if status not in ENDED:
            raise ValueError(f"A run cannot end as {status!r}: it is one of {', '.join(ENDED)}.")
        with self._writing:
            outcome = {"status": status, "reason": redacted(reason), "ended": time.time()}
            self._write(self._read() | outcome | {"metrics": encoded(metrics or {})})
        self.release()

    def discard(self) -> None:
        """Removes a run that never began, and the folders above it that are then empty."""
        self.release()
        shutil.rmtree(self.path)
        for above in (self.path.parent, self.root):
            try:
                above.rmdir()
            except OSError:  # other runs or a store are there
                return

    def release(self) -> None:
        """Lets the run go without a word about its outcome: what other processes see as an interruption."""
        if self._owner is not None:
            self._owner.stop()
            self._owner = None
        self._history.close()
        self._lock.release()

    @property
    def _owner_file(self) -> Path:
        return self.path / "owner.json"

    def _own(self, timeout: float) -> bool:
        if not self._lock.acquire(timeout):
            return False
        self._owner = Owner(self._owner_file)
        self._owner.start()
        return True

    def _owner_in_words(self) -> str:
        owner = read_owner(self._owner_file)
        return f"process {owner['pid']} on {owner['host']}" if owner else "another process"

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
            missing = {"uid", "status", "reason", "started", "ended", "metrics", "facts"} - record.keys()
        except (OSError, ValueError, AttributeError) as error:
            raise TrackingError(f"{self.path} cannot be read as a run: its run.json is missing or damaged.") from error
        if missing:
            raise TrackingError(
                f"{self.path} cannot be read as a run: its run.json lacks {', '.join(sorted(missing))}."
            )
        return record

    def _write(self, record: Mapping[str, Any]) -> None:
        write_json(self.path / "run.json", record)


def new_name(model: str, data: str) -> str:
    """A name that no run had before, such as `mlp-digits-7f3a2c`; of a plugin's `dist/net` it makes `dist_net`."""
    words = [re.sub(r"[^A-Za-z0-9._]+", "_", word).strip("._")[:40] or "run" for word in (model, data)]
    return "-".join([*words, os.urandom(3).hex()])


def list_folders(root: Path = ROOT) -> list[RunFolder]:
    """The runs below `root`, latest start first; what is no run's folder, or a damaged one, is left out."""
    started = {}
    for path in (Path(root).resolve() / "runs").glob("*/run.json"):
        try:
            folder = RunFolder.open(path.parent)
            started[folder] = float(folder.started)
        except (TrackingError, TypeError, ValueError):
            continue
    return sorted(started, key=started.__getitem__, reverse=True)


def find_folder(reference: str, root: Path = ROOT) -> tuple[RunFolder, str]:
    """The run that `reference` means, and the checkpoint: `"best"` after `@best`, else `"last"`.

    Args:
        reference: A run's name, the store's id of it, a unique prefix of either, or `last`; `@best` may follow.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: No run, or more than one, goes by this reference.
    """
    wanted, _, checkpoint = reference.partition("@")
    if checkpoint not in ("", "best", "last"):
        raise UnknownName(
            f"{reference!r} cannot be read: a run has the checkpoints best and last, so write {wanted}@best."
        )
    folders = list_folders(root)
    found = folders[:1] if wanted == "last" else _matching(wanted, folders)
    if len(found) == 1:
        return found[0], checkpoint or "last"
    raise _not_one(wanted, found, folders, root)


def _matching(wanted: str, folders: list[RunFolder]) -> list[RunFolder]:
    """Those that carry the name or id exactly, or else those of which it is a prefix."""
    if not wanted:
        return []
    exact = [folder for folder in folders if folder.name == wanted]
    if exact:
        return exact
    ids = {folder: folder.run_id or "" for folder in folders}
    exact = [folder for folder in folders if ids[folder] == wanted]
    return exact or [each for each in folders if each.name.startswith(wanted) or ids[each].startswith(wanted)]


def _not_one(wanted: str, found: list[RunFolder], folders: list[RunFolder], root: Path) -> ZooError:
    if not folders:
        return UnknownName(f"There is no run {wanted!r}: {root}/runs holds no run yet; `fdl train MODEL` makes one.")
    if found:
        some = ", ".join(folder.name for folder in found[:3]) + (", ..." if len(found) > 3 else "")
        return UnknownName(
            f"{wanted!r} is not one run: {len(found)} begin so ({some}); write more of it; see `fdl runs`."
        )
    import difflib

    names = [folder.name for folder in folders]
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5) or names[:1]
    return UnknownName(f"There is no run {wanted!r}; closest: {', '.join(close)}. `fdl runs` lists all.")
