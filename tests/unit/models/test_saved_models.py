"""Models with layers of their own load in a process that has built none."""

import subprocess
import sys

import numpy as np
import pytest

from fdl_zoo.models import alexnet, rnn

LOAD = """
import sys
import numpy as np
from fdl_zoo import backend
model = backend.load().saving.load_model(sys.argv[1], safe_mode=True)
np.save(sys.argv[2], model(np.load(sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "shape", "options"),
    [
        (rnn, (5, 3), {"units": 4}),
        (rnn, (5, 3), {"units": 4, "gradients": "average"}),
        (alexnet, (67, 67, 3), {"filters": (2, 2, 2, 2, 2), "units": 3}),
    ],
    ids=["learned state", "averaged", "local response"],
)
def test_a_fresh_process_loads_it_and_gives_the_same_outputs(module, shape, options, tmp_path):
    model = module.build(shape, 2, **options)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    files = [str(tmp_path / name) for name in ("model.keras", "y.npy", "x.npy")]
    subprocess.run([sys.executable, "-c", LOAD, *files], check=True)
    np.testing.assert_allclose(np.load(files[1]), model(x), rtol=1e-6, atol=1e-6)
