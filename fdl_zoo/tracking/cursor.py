"""How far a tracking store has been brought up to date with a run's folder: the file `sent.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fdl_zoo.tracking.files import write_json
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.secrets import redacted
from fdl_zoo.tracking.uri import embedded_uri

EMBEDDED = "embedded"


@dataclass
class Cursor:
    """What the store is known to have. What it has beyond that, after a crash, is asked of the store.

    Args:
        path: The file `sent.json`.
        uri: The store's address without secrets; `embedded` for the one beside the runs, wherever that is moved.
        run_id: The store's id of the run.
        facts: Fingerprint of the specification and facts that were sent.
        history_bytes: How much of the history was sent.
        last_line: The last line that was sent: if the history does not have it there, it was cut meanwhile.
        artifacts: Size and time of change of each artifact that was sent, by its path.
        model: Fingerprint of the model that was sent.
        ended: The outcome that was sent; None while the store shows the run as running.
    """

    path: Path
    uri: str = ""
    run_id: str | None = None
    facts: str = ""
    history_bytes: int = 0
    last_line: str = ""
    artifacts: dict[str, list[int]] = field(default_factory=dict)
    model: str = ""
    ended: str | None = None

    @classmethod
    def load(cls, folder: RunFolder) -> "Cursor":
        """The cursor of a run; a fresh one where there is none or it cannot be read."""
        path = folder.path / "sent.json"
        try:
            return cls(path=path, **json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls(path=path)

    def save(self) -> None:
        """Writes the file, atomically."""
        record = asdict(self)
        del record["path"]
        write_json(self.path, record)

    def restart(self, run_id: str) -> None:
        """Forgets what was sent: the store has another run than the one that this cursor knew."""
        fresh = Cursor(self.path, uri=self.uri, run_id=run_id)
        self.__dict__.update(fresh.__dict__)

    def is_in(self, history: Path) -> bool:
        """Whether the history still has, where it was, what was sent last."""
        last = self.last_line.encode()
        if not last:
            return False
        try:
            with open(history, "rb") as file:
                file.seek(self.history_bytes - len(last))
                return file.read(len(last)) == last
        except FileNotFoundError:
            return False


def stated_uri(uri: str, root: Path) -> str:
    """A store's address as it is written into a run's folder."""
    return EMBEDDED if uri == embedded_uri(root) else redacted(uri)
