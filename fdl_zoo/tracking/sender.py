"""Brings the tracking store up to date with a run's folder, from a thread that training never waits for."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking import Point, RunDeleted, Tracker
from fdl_zoo.tracking.cursor import EMBEDDED, Cursor, stated_uri
from fdl_zoo.tracking.files import Lock
from fdl_zoo.tracking.folder import ROOT, RunFolder
from fdl_zoo.tracking.history import History
from fdl_zoo.tracking.secrets import HIDDEN, redacted
from fdl_zoo.tracking.uri import EXPERIMENT, default_uri, embedded_uri

MAX_WAIT = 30.0
_told: dict[str, str] = {}  # the addresses that this process was given, by how they are written down


def mirror(folder: RunFolder, tracker: Tracker) -> bool:
    """Brings the store up to date. Called again it sends nothing twice; what fails is sent by the next call.

    Args:
        folder: The run.
        tracker: The store.

    Returns:
        Whether it was done: not so where another process is at it.

    Raises:
        Exception: Whatever the store raises; what was sent until then is remembered.
    """
    lock = Lock(folder.path / "sending.lock")
    if not lock.acquire(timeout=0):
        return False
    try:
        _mirror(folder, tracker)
    except RunDeleted:
        # Deleted in the store by somebody who meant it: the folder keeps the run, and there is nothing to send.
        (folder.path / "unsent").unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def open_tracker(folder: RunFolder, uri: str) -> Tracker:
    """The store at `uri`, which is created where it is a missing SQLite file; imports MLflow."""
    from fdl_zoo.tracking.mlflow import MlflowTracker
    from fdl_zoo.tracking.store import ensure_store

    ensure_store(uri)
    return MlflowTracker(uri, folder.facts.get("experiment") or EXPERIMENT)


class Sender:
    """Mirrors a run while it trains: a daemon thread, started at once, which imports MLflow beside TensorFlow.

    Nothing here raises into training: what goes wrong is tried again, and told by `close`.

    Args:
        folder: The run, owned by this process.
        uri: The store's address; of one that a specification states, the secrets are looked up.
        interval: Least number of seconds between two flushes.
        tracker: Makes the tracker, in the thread.
    """

    def __init__(
        self,
        folder: RunFolder,
        uri: str,
        *,
        interval: float = 1.0,
        tracker: Callable[[RunFolder, str], Tracker] = open_tracker,
    ) -> None:
        self._folder, self._uri, self._interval = folder, uri, interval
        self._make_tracker = tracker
        self._work, self._closing = threading.Event(), threading.Event()
        self._problem: str | None = None
        self._up_to_date = False
        mark_unsent(folder, uri)
        if HIDDEN not in uri:
            _told[redacted(uri)] = uri
        self._thread = threading.Thread(target=self._run, name="fdl-sender", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed, or None where it did not."""
        return self._problem

    def notify(self) -> None:
        """Says that the folder has something new; returns at once."""
        self._work.set()

    def close(self, timeout: float = 20.0) -> str | None:
        """Sends what is unsent, after `RunFolder.finish`, and waits for it at most `timeout` seconds.

        Returns:
            A sentence for the user where something remains unsent, else None.
        """
        self._closing.set()
        self._work.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return _unsent(self._folder, self._uri, self._problem or f"it did not answer within {timeout:g} s")
        return None if self._up_to_date else _unsent(self._folder, self._uri, self._problem or "it was not reached")

    def _run(self) -> None:
        tracker, wait = None, self._interval
        while True:
            self._work.clear()
            last = self._closing.is_set()
            try:
                if tracker is None:
                    tracker = self._make_tracker(self._folder, _with_secrets(self._uri, self._folder.root))
                self._up_to_date = mirror(self._folder, tracker)
                self._problem = None if self._up_to_date else "another process is sending it"
                wait = self._interval
            except Exception as error:
                # A thread has nobody to raise to, and training must go on: the reason is kept for `close`.
                self._problem, self._up_to_date, wait = _in_words(error), False, min(2 * wait, MAX_WAIT)
            if last:
                return
            self._closing.wait(wait)
            if self._up_to_date:
                self._work.wait()


def mark_unsent(folder: RunFolder, uri: str) -> None:
    """Notes in the folder which store it goes to, and that it is not up to date; a run of another store begins anew."""
    cursor = Cursor.load(folder)
    stated = stated_uri(uri, folder.root)
    if cursor.uri != stated:
        cursor = Cursor(cursor.path, uri=stated)
    cursor.save()
    (folder.path / "unsent").touch()


def mark_changed(folder: RunFolder) -> None:
    """Notes that a run which its store has got something new: the next command sends it."""
    if folder.run_id:
        (folder.path / "unsent").touch()


def send_unsent(root: Path = ROOT, *, tracker: Callable[[RunFolder, str], Tracker] = open_tracker) -> list[str]:
    """Sends what earlier commands could not. Where nothing is unsent it costs one look into the folders.

    Args:
        root: The folder that holds `runs/`.
        tracker: Makes the tracker of a run and an address.

    Returns:
        A sentence for each run that could not be sent.
    """
    messages, unreachable = [], {}
    for marker in sorted((Path(root).resolve() / "runs").glob("*/unsent"), key=_parents_first):
        try:
            folder = RunFolder.open(marker.parent)
            if folder.is_owned:
                continue
            uri = _address(folder)
            if uri in unreachable:
                raise TrackingError(unreachable[uri])
        except TrackingError as error:
            messages.append(_unsent(marker.parent, "", str(error).rstrip(".")))
            continue
        try:
            mark_unsent(folder, uri)
            mirror(folder, tracker(folder, uri))
        except Exception as error:
            # Whatever a store raises, the command that the user gave goes on; the other runs of that store can wait.
            why = _in_words(error)
            messages.append(_unsent(folder, uri, why))
            if not _of_this_run(error):
                unreachable[uri] = why
    return messages


def _of_this_run(error: Exception) -> bool:
    """Whether the store may take other runs: this one's experiment was deleted, or a file of it cannot be read."""
    return isinstance(error, TrackingError) or getattr(error, "filename", None) is not None


def _parents_first(marker: Path) -> tuple[float, str]:
    """Runs as they were made, so that a sweep is in the store before its children are put below it."""
    made = marker.parent / "spec.yaml"  # written once, with the folder
    return (made.stat().st_mtime if made.exists() else 0.0), marker.parent.name


def send(folder: RunFolder, *, tracker: Callable[[RunFolder, str], Tracker] = open_tracker) -> str:
    """Brings the store of a run that is not in training up to date now; one that was not tracked goes to the default.

    Returns:
        The store's address.

    Raises:
        TrackingError: It cannot be done; the sentence says why.
    """
    uri = _address(folder)
    mark_unsent(folder, uri)
    try:
        done = mirror(folder, tracker(folder, uri))
    except Exception as error:
        raise TrackingError(_unsent(folder, uri, _in_words(error))) from error
    if not done:
        raise TrackingError(_unsent(folder, uri, "another process is sending it"))
    if not folder.run_id or (folder.path / "unsent").exists():
        raise TrackingError(_unsent(folder, uri, "it was deleted there"))
    return uri


def _mirror(folder: RunFolder, tracker: Tracker) -> None:
    cursor = Cursor.load(folder)
    status, marked = folder.status, _marked(folder)
    run_id = tracker.begin(folder)
    if run_id != cursor.run_id:
        cursor.restart(run_id)
        cursor.save()
    if status == "RUNNING":
        cursor.ended = None
    _send_facts(folder, tracker, cursor)
    _send_history(folder, tracker, cursor)
    _send_artifacts(folder, tracker, cursor)
    _send_model(folder, tracker, cursor)
    if status != "RUNNING":
        _send_end(folder, tracker, cursor, status)
        if _marked(folder) == marked:  # else somebody has added something meanwhile, which the next call sends
            (folder.path / "unsent").unlink(missing_ok=True)


def _marked(folder: RunFolder) -> int:
    """When the run was last marked as one with something to send; 0 for never."""
    marker = folder.path / "unsent"
    return marker.stat().st_mtime_ns if marker.exists() else 0


def _send_facts(folder: RunFolder, tracker: Tracker, cursor: Cursor) -> None:
    spec, facts = folder.spec, folder.facts
    fingerprint = _fingerprint(json.dumps([spec, facts], sort_keys=True).encode())
    if cursor.facts != fingerprint:
        tracker.log_facts(spec, facts)
        cursor.facts = fingerprint
        cursor.save()


def _send_history(folder: RunFolder, tracker: Tracker, cursor: Cursor) -> None:
    """Sends the lines that follow the cursor. A history that was cut is compared with what the store has."""
    path = folder.path / "history.jsonl"
    goes_on = cursor.is_in(path)
    lines = History(path).read(cursor.history_bytes if goes_on else 0)
    if not lines:
        return
    points = [point for line in lines for point in _points(line.values)]
    _send_points(tracker, points if goes_on else tracker.missing(points))
    cursor.history_bytes, cursor.last_line = lines[-1].end, lines[-1].text
    cursor.save()


def _send_points(tracker: Tracker, points: list[Point]) -> None:
    if points:
        tracker.log_points(points)


def _points(line: Mapping[str, Any]) -> list[Point]:
    return [Point(name, value, line["time"], line["step"]) for name, value in line["metrics"].items()]


def _fingerprint(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _send_artifacts(folder: RunFolder, tracker: Tracker, cursor: Cursor) -> None:
    for path in sorted(folder.artifacts.rglob("*")):
        if not path.is_file() or path.name.endswith(".part"):
            continue
        relative, state = path.relative_to(folder.artifacts), path.stat()
        seen = [state.st_size, state.st_mtime_ns]
        if cursor.artifacts.get(relative.as_posix()) != seen:
            tracker.log_artifact(path, "" if len(relative.parts) == 1 else relative.parent.as_posix())
            cursor.artifacts[relative.as_posix()] = seen
            cursor.save()


def _send_model(folder: RunFolder, tracker: Tracker, cursor: Cursor) -> None:
    """Sends the packaged model, whole because it is moved into its place when it is."""
    description = folder.model / "MLmodel"
    if not description.is_file():
        return
    fingerprint = _fingerprint(description.read_bytes())
    if cursor.model != fingerprint:
        tracker.log_model(folder.model, _last_step(folder))
        cursor.model = fingerprint
        cursor.save()


def _send_end(folder: RunFolder, tracker: Tracker, cursor: Cursor, status: str) -> None:
    """Sends the outcome. A run whose process is gone counts as killed, until it is resumed."""
    if cursor.ended != status:
        history = folder.history()
        ended = folder.ended or (history[-1]["time"] if history else folder.started)
        final = _points({"metrics": folder.metrics, "time": ended, "step": _last_step(folder)})
        _send_points(tracker, tracker.missing(final))
        tracker.end("KILLED" if status == "INTERRUPTED" else status, folder.reason, ended)
        cursor.ended = status
        cursor.save()


def _last_step(folder: RunFolder) -> int:
    return max((line["step"] for line in folder.history()), default=0)


def _address(folder: RunFolder) -> str:
    """The address that a run is to be sent to: what its folder says, with its secrets."""
    stated = Cursor.load(folder).uri
    if stated == EMBEDDED:
        return embedded_uri(folder.root)
    return _with_secrets(stated, folder.root)


def _with_secrets(stated: str, root: Path) -> str:
    """An address as a folder or specification states it, with the secrets that the environment or a command has named.

    Raises:
        TrackingError: Neither has.
    """
    current = default_uri(root)
    if stated in ("", redacted(current)):
        return current
    if HIDDEN not in stated:
        return stated
    if stated not in _told:
        raise TrackingError("its password is known to nobody here, set MLFLOW_TRACKING_URI")
    return _told[stated]


def _in_words(error: BaseException) -> str:
    """The first line of what first went wrong, without secrets, short enough for one sentence."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    words = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return redacted(words.splitlines()[0])[:200].rstrip(". ")


def _unsent(folder: RunFolder | Path, uri: str, why: str) -> str:
    path = folder if isinstance(folder, Path) else folder.path
    store = f"the tracking store {redacted(uri)}" if uri else "its tracking store"
    return f"The run {path.name} is not yet in {store} ({why}); nothing is lost: the next `fdl` command sends it."
