"""A worker that does not record: it comes to the meeting, trains what worker 0 says, and leaves no files behind."""

import atexit
import io
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml

from fdl_zoo import rules
from fdl_zoo.errors import ZooError
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.secrets import redacted_yaml
from fdl_zoo.training import meeting, provenance
from fdl_zoo.training.cluster import Cluster, read
from fdl_zoo.training.initial import Initial
from fdl_zoo.training.interruption import Terminated
from fdl_zoo.training.progress import Progress, Silent
from fdl_zoo.training.run import Run


def follow(cluster: Cluster, spec: RunSpec | None, progress: Progress) -> Run:
    """Train as one of the workers that are not the first.

    Everything runs as on worker 0, callbacks too, so that all decide the same; what is written lies in a temporary
    folder, and nothing is tracked.

    Args:
        cluster: Who all are.
        spec: What this worker would train; None for whatever worker 0 says.
        progress: What shows the progress.

    Raises:
        TrainingFailed: Worker 0 did not answer, or another worker died.
        InvalidOption: Worker 0 has other versions, or trains something else.
    """
    progress.say(f"worker {cluster.index} of {len(cluster.workers)}: looking for worker 0 at {cluster.workers[0]}")
    agreement, readiness = meeting.join(cluster, spec and redacted_yaml(spec.to_yaml()), provenance.all_versions())
    agreed = spec or RunSpec.model_validate(yaml.safe_load(agreement.spec))  # its own has its secrets
    agreed = agreed.model_copy(update={"tracking": agreed.tracking.model_copy(update={"enabled": False})})
    rules.check(agreed, {})
    progress.say(f"worker {cluster.index} of {len(cluster.workers)}: takes part in run {agreement.name}")
    from fdl_zoo.training.session import Session

    root = Path(tempfile.mkdtemp(prefix="fdl-worker-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)  # until then the run can be looked at
    folder = RunFolder.create(agreement.name, spec=agreement.spec, facts={}, root=root)
    if agreement.files:
        zipfile.ZipFile(io.BytesIO(agreement.files)).extractall(folder.checkpoints)
    initial = None
    if agreement.initial:
        about = agreement.initial
        initial = Initial(about["given"], about["kind"], folder.checkpoints / Path(about["name"]).name)
        agreed = agreed.model_copy(update={"init_from": initial.given})
    resumed = bool(agreement.files and not initial)
    return Session(agreed, folder, progress, resumed=resumed, initial=initial, readiness=readiness).run()


def main() -> None:
    """Be a local worker of a trial, as `cluster.local` starts it, with the specification on standard input."""
    cluster = read()
    assert cluster is not None
    try:
        follow(cluster, RunSpec.model_validate(yaml.safe_load(sys.stdin.buffer)), Silent())
    except ZooError as error:
        print(f"fdl: worker {cluster.index}: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except Terminated:
        sys.exit(143)


if __name__ == "__main__":
    main()
