import pytest

from fdl_zoo.tracking.folder import RunFolder


@pytest.fixture
def make_run(tmp_path):
    """Makes owned runs below `tmp_path/mlruns`, and lets them go in the end."""
    made = []

    def make(name="mlp-digits-000001", **facts):
        made.append(RunFolder.create(name, spec="model: mlp\n", facts=facts, root=tmp_path / "mlruns"))
        return made[-1]

    yield make
    for folder in made:
        folder.release()


@pytest.fixture
def run(make_run):
    return make_run()
