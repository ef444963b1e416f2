"""Models with classes of a plugin: what their files say, and how they load where it is, is not, or has changed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo import saved
from fdl_zoo.callbacks.checkpoint import build as checkpoint
from fdl_zoo.errors import InvalidData, PluginError

REPOSITORY = Path(__file__).parents[3]
PYPROJECT = """[project]
name = "Own-Layers"
version = "{version}"
[project.entry-points."fdl_zoo.callbacks"]
unrelated = "own_layers_unrelated:build"
[project.entry-points."fdl_zoo.models"]
doubling = "own_layers_model:build"
[project.entry-points."fdl_zoo.optimizers"]
creeping = "own_layers_optimizer:build"
"""
MODEL = '''"""Doubles."""
import keras

@keras.saving.register_keras_serializable(package="Own-Layers")
def cubed(x):
    return x**3

@keras.saving.register_keras_serializable(package="Own-Layers")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def build(input_shape, num_outputs):
    """Builds it."""
    inputs = keras.Input(input_shape)
    x = Doubled()(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_outputs, activation=cubed)(x))
'''
OPTIMIZER = '''"""Creeps."""
import keras

@keras.saving.register_keras_serializable(package="Own-Layers", name="creeping")
class Creeping(keras.optimizers.SGD):
    pass

def build():
    """Builds it."""
    return Creeping(1e-3)
'''


class Plugin:
    """A plugin in a folder, which can be changed, forgotten and taken away."""

    def __init__(self, folder, catalogue):
        self.folder, self.catalogue = folder, catalogue
        folder.mkdir()
        self.write("1.4.0")

    def write(self, version, model=MODEL):
        (self.folder / "pyproject.toml").write_text(PYPROJECT.format(version=version))
        (self.folder / "own_layers_model.py").write_text(model)
        (self.folder / "own_layers_optimizer.py").write_text(OPTIMIZER)
        (self.folder / "own_layers_unrelated.py").write_text("raise RuntimeError('nobody asked for this')\n")
        self.forget()

    def forget(self):
        """As in a fresh process: no module of it is imported, no class registered."""
        for name in [name for name in sys.modules if name.startswith("own_layers_")]:
            del sys.modules[name]
        registered = keras.saving.get_custom_objects()
        for name in [name for name in registered if name.startswith("Own-Layers>")]:
            del registered[name]
        self.catalogue.refresh()


@pytest.fixture
def plugin(tmp_path, monkeypatch, catalogue_afresh):
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "all")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    plugin = Plugin(tmp_path / "own", catalogue_afresh)
    yield plugin
    plugin.forget()


@pytest.fixture
def path(plugin, tmp_path):
    """A saved model of the plugin's, in a process that then knows nothing of it."""
    model = fdl.create_model("doubling", (2, 2), 3)
    model.compile(fdl.create_optimizer("creeping"), "mse")
    saved.save(model, tmp_path / "model.keras")
    plugin.outputs = np.asarray(model(np.ones((1, 2, 2))))
    plugin.forget()
    return tmp_path / "model.keras"


def member(path, change=None, name=saved.MEMBER):
    """A member of a file as an object, which may be changed in place."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    value = json.loads(members[name])
    if change:
        members[name] = change(members[name])
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in members.items():
                archive.writestr(each, content)
    return value


def test_the_file_names_the_distribution_and_its_version(path):
    facts = member(path)
    assert facts["plugins"] == [{"distribution": "Own-Layers", "version": "1.4.0"}]
    assert facts["fdl_zoo"] == fdl.__version__
    assert saved.registered_names(path) == {"Own-Layers": {"Doubled", "creeping", "cubed"}}


@pytest.mark.parametrize("version", ["1.4.0", "1.0", "1.99", ""])
def test_it_loads_by_importing_the_entries_that_it_needs(version, path, plugin):
    plugin.write(version)
    model = fdl.load_model(path)
    np.testing.assert_array_equal(model(np.ones((1, 2, 2))), plugin.outputs)
    assert type(model.optimizer).__name__ == "Creeping"
    assert "own_layers_unrelated" not in sys.modules


def test_the_module_that_the_file_names_is_never_imported(path, plugin, tmp_path, monkeypatch):
    (plugin.folder / "own_layers_evil.py").write_text(
        "import pathlib\npathlib.Path('evil').touch()\nDoubled = cubed = 1"
    )
    monkeypatch.chdir(tmp_path)
    member(path, lambda text: text.replace(b"own_layers_model", b"own_layers_evil"), "config.json")
    np.testing.assert_array_equal(fdl.load_model(path)(np.ones((1, 2, 2))), plugin.outputs)
    member(path, lambda text: text.replace(b"Own-Layers>Doubled", b"own_layers_evil>Doubled"), "config.json")
    with pytest.raises(PluginError, match="needs the plugin own_layers_evil, which is not installed"):
        fdl.load_model(path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(("version", "upper"), [("2.0.0", 2), ("0.9", 2), ("v3", 2)])
def test_another_major_version_is_refused_with_what_to_install(version, upper, path, plugin):
    plugin.write(version)
    with pytest.raises(PluginError) as error:
        fdl.load_model(path)
    assert str(error.value).endswith(
        f"was saved with the plugin Own-Layers 1.4.0, and {version} is installed, another major version:"
        f' pip install "Own-Layers>=1.4.0,<{upper}".'
    )
    assert "own_layers_model" not in sys.modules


def test_a_missing_plugin_is_named_with_what_to_install(path, plugin, monkeypatch):
    monkeypatch.delenv("FDL_ZOO_PLUGINS_DIR")
    plugin.forget()
    with pytest.raises(PluginError) as error:
        fdl.load_model(path)
    says = 'needs the plugin Own-Layers 1.4.0, which is not installed: pip install "Own-Layers>=1.4.0,<2".'
    assert str(error.value).endswith(says)
    member(path, lambda text: json.dumps({"plugins": []}).encode())  # a file that Keras alone has written
    with pytest.raises(
        PluginError, match=r"needs the plugin Own-Layers, which is not installed: pip install Own-Layers"
    ):
        fdl.load_model(path)


def test_a_plugin_that_is_switched_off_is_said_to_be(path, plugin, tmp_path, monkeypatch):
    info = tmp_path / "site" / "own_layers-1.4.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Own-Layers\nVersion: 1.4.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "none")
    plugin.forget()
    with pytest.raises(PluginError, match="which is switched off by FDL_ZOO_PLUGINS=none: name it there"):
        fdl.load_model(path)


def test_a_plugin_that_fails_or_has_dropped_the_class_says_so(path, plugin):
    plugin.write("1.5.0", "raise RuntimeError('no luck today')\n")
    with pytest.raises(PluginError, match=r"does not register: .*no luck today"):
        fdl.load_model(path)
    plugin.write("1.6.0", MODEL.replace("Doubled", "Tripled"))
    with pytest.raises(PluginError, match=r"Own-Layers>Doubled, which the plugin Own-Layers 1\.6\.0 does not register"):
        fdl.load_model(path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"plugins": [1]}', b'{"plugins": 5}'])
def test_a_damaged_statement_is_refused_by_the_files_name(text, path):
    member(path, lambda _: text)
    with pytest.raises(InvalidData, match=r"model\.keras cannot be loaded"):
        fdl.load_model(path)


def test_checkpoints_and_logged_models_carry_it_too(plugin, tmp_path):
    from fdl_zoo.tracking.mlflow import package_model

    model = fdl.create_model("doubling", (2, 2), 3)
    model.compile(fdl.create_optimizer("creeping"), "mse")
    x, y = np.ones((4, 2, 2), np.float32), np.ones((4, 3))
    model.fit(x, y, callbacks=[checkpoint(folder=str(tmp_path / "kept"))], validation_data=(x, y), verbose=0)
    package_model(model, tmp_path / "package", input_example=x)
    for file in ("kept/best.keras", "kept/last.keras", "package/model.keras"):
        assert saved.stated_versions(tmp_path / file) == {"Own-Layers": "1.4.0"}


def test_an_exported_model_carries_it_too(path, tmp_path):
    fdl.export(path, "keras", output=tmp_path / "exported.keras")
    assert saved.stated_versions(tmp_path / "exported.keras") == {"Own-Layers": "1.4.0"}


def test_a_model_without_plugins_has_no_statement(plugin, tmp_path):
    @keras.saving.register_keras_serializable(package="notebook-of-mine")
    class Halved(keras.layers.Layer):
        def call(self, x):
            return x / 2

    model = keras.Sequential([keras.Input((3,)), Halved(), keras.layers.Dense(1)])
    model.compile(fdl.create_optimizer("adam"), "mse")
    saved.save(model, tmp_path / "plain.keras")
    assert saved.stated_versions(tmp_path / "plain.keras") == {}
    x = np.ones((2, 3))
    np.testing.assert_array_equal(fdl.load_model(tmp_path / "plain.keras")(x), model(x))


FRESH = """
import sys
import numpy as np
import fdl_zoo as fdl
model = fdl.load_model(sys.argv[1])
np.save(sys.argv[2], model(np.linspace(-1, 1, 6).reshape(2, 3)))
print(type(model.optimizer).__module__, int(model.optimizer.iterations))
"""


@pytest.mark.slow
def test_a_trained_run_of_two_plugins_loads_in_a_fresh_process(tmp_path):
    environment = {**os.environ, "FDL_ZOO_PLUGINS": "all", "FDL_ZOO_PLUGINS_DIR": str(REPOSITORY / "plugins")}
    environment["PYTHONPATH"] = str(REPOSITORY)

    def process(*arguments, **more):
        command = [sys.executable, "-c", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment | more, capture_output=True, text=True, timeout=300
        )

    fdl_command = "from fdl_zoo.cli import main; main()"
    trained = process(
        fdl_command, "train", "maxout", "--optimizer", "lion", "--data", "spirals3d", "--epochs", "2", "--json"
    )
    run = json.loads(trained.stdout)
    assert {each["distribution"] for each in member(tmp_path / run["model_path"])["plugins"]} == {
        "fdl-maxout",
        "fdl-lion",
    }
    (logged,) = (tmp_path / "mlruns" / "artifacts").rglob("model.keras")
    needed = yaml.safe_load((logged.parent / "MLmodel").read_text())["metadata"]["model_keras_requires"]
    assert {each.partition("==")[0] for each in needed} == {"fdl-zoo", "fdl-maxout", "fdl-lion"}  # no data set
    outputs = []
    for number, path in enumerate(["last", logged]):
        done = process(FRESH, str(path), f"{number}.npy")
        assert done.stdout.startswith("fdl_lion "), done.stderr
        assert int(done.stdout.split()[1]) > 0
        outputs.append(np.load(tmp_path / f"{number}.npy"))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    refused = process(FRESH, str(tmp_path / run["model_path"]), "none.npy", FDL_ZOO_PLUGINS="none")
    assert 'pip install "fdl-' in refused.stderr
