"""Every registered entry and variant, held against the kit that plugin authors use."""

import numpy as np
import pytest
from PIL import Image

from fdl_zoo.testing import conformance

EXCUSES = {"models": {}, "optimizers": {}, "callbacks": {}, "datasets": {}}


@conformance("models", excuses=EXCUSES["models"], slow=pytest.mark.slow)
def test_models(name, check):
    check(name)


@conformance("optimizers", excuses=EXCUSES["optimizers"], slow=pytest.mark.slow)
def test_optimizers(name, check):
    check(name)


@conformance("callbacks", excuses=EXCUSES["callbacks"], slow=pytest.mark.slow)
def test_callbacks(name, check):
    check(name)


@conformance("datasets", excuses=EXCUSES["datasets"], slow=pytest.mark.slow)
def test_datasets(name, check, own_files):
    check(name, **own_files.get(name, {}))


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    """Files of the user's own, for the datasets that read them."""
    folder = tmp_path_factory.mktemp("own")
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((40, 3)), np.arange(40) % 2
    np.savez(folder / "own.npz", x=x, y=y)
    rows = [",".join(map(str, [*row, label])) for row, label in zip(x, y, strict=True)]
    (folder / "own.csv").write_text("\n".join(["a,b,c,label", *rows]))
    for number, label in enumerate(y):
        (folder / "images" / str(label)).mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / str(label) / f"{number}.png")
    places = {"npz": "own.npz", "csv": "own.csv", "folder": "images"}
    return {name: {"path": str(folder / place)} for name, place in places.items()}
