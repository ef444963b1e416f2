"""A plugin whose callback fails while a model trains: what is recorded and said names it."""

import sys

from fdl_zoo.cli import run
from fdl_zoo.tracking.folder import list_folders

CALLBACK = '''"""Fails at an epoch's end."""
import keras


class Failing(keras.callbacks.Callback):
    """Looks for what is not there."""

    def on_epoch_end(self, epoch, logs=None):
        raise LookupError("no such column\\nand more")


def build():
    """Makes it."""
    return Failing()
'''


def test_the_run_and_the_message_name_the_plugin(folder, monkeypatch, catalogue_afresh, capsys):
    plugin = folder / "sample"
    plugin.mkdir()
    (plugin / "pyproject.toml").write_text(
        '[project]\nname = "sample"\nversion = "1.2"\n'
        '[project.entry-points."fdl_zoo.callbacks"]\nfailing = "sample_failing:build"\n'
    )
    (plugin / "sample_failing.py").write_text(CALLBACK)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "sample")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(folder))
    catalogue_afresh.refresh()
    command = ["train", "logistic_regression", "--data", "iris", "--callback", "failing", "--no-tracking"]
    assert run([*command, "--epochs", "1"]) == 1
    sentence = "The callback sample/failing of sample 1.2 failed: LookupError: no such column"
    assert capsys.readouterr().err == f"fdl: {sentence} (--verbose shows where)\n"
    (trained,) = list_folders(folder / "mlruns")
    assert (trained.status, trained.reason) == ("FAILED", sentence)
