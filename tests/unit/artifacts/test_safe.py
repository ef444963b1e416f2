"""Model files from elsewhere: each way in that is known is tried, and is refused by the file's name and its reason."""

import json
import pickle
import shutil
import zipfile

import keras
import numpy as np
import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo.artifacts.safe import inspect, inspect_package
from fdl_zoo.errors import InvalidData, PluginError


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    model = fdl.create_model("mlp", (4, 4, 1), 3, units=(5,))
    model.compile(optimizer=fdl.create_optimizer("adam"), loss="mse")
    model.save(path)
    return path


@pytest.fixture
def crafted(good, tmp_path):
    """A good file with something changed: the configuration of its first dense layer, or a member added."""

    def craft(change=None, members=()):
        path = tmp_path / "crafted.keras"
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
            for info in source.infolist():
                content = source.read(info)
                if change and info.filename == "config.json":
                    config = json.loads(content)
                    layer = next(each for each in config["config"]["layers"] if each["class_name"] == "Dense")
                    change(layer)
                    content = json.dumps(config)
                target.writestr(info.filename, content)
            for name, content, compression in members:
                target.writestr(name, content, compression)
        return path

    return craft


def test_a_good_file_names_the_packages_that_it_needs(good):
    assert inspect(good) == {"fdl_zoo"}


def test_lambda_is_refused_and_loads_where_it_is_asked_for(tmp_path):
    path = tmp_path / "lambda.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)]).save(path)
    with pytest.raises(InvalidData, match=r"lambda\.keras is refused: it has .*Lambda, .* any code; --allow-unsafe"):
        fdl.load_model(path)
    np.testing.assert_allclose(fdl.load_model(path, allow_unsafe=True)(np.ones((1, 2))), 2)
    with pytest.raises(InvalidData, match="is refused"):
        fdl.export(path, "keras", output=tmp_path / "exported.keras")
    fdl.export(path, "keras", output=tmp_path / "exported.keras", allow_unsafe=True)
    assert (tmp_path / "exported.keras").is_file()


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "TFSMLayer", "module": "keras.layers", "registered_name": None},
        {"class_name": "TFSMLayer", "module": "keras.src.export.tfsm_layer", "registered_name": "TFSMLayer"},
        {"class_name": "system", "module": "os", "registered_name": None},
        {"class_name": "get_file", "module": "keras.utils", "registered_name": None},
        {"class_name": "utils.get_file", "module": "keras", "registered_name": None},
        {"class_name": "load_model", "module": "keras.models", "registered_name": None},
        {"class_name": "load_img", "module": "keras.src.utils.image_utils", "registered_name": None},
        {"class_name": "function", "module": "builtins.x", "config": "eval", "registered_name": "function"},
        {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}},
        {"class_name": "__typespec__", "spec_name": "x", "module": "os", "config": [], "registered_name": None},
        {"class_name": ["Dense"], "module": "keras.layers", "registered_name": None},
    ],
)
def test_a_crafted_class_path_is_refused(crafted, layer):
    folder = "/tmp/graph"
    path = crafted(lambda config: config.update({"config": {"filepath": folder}} | layer))
    with pytest.raises(InvalidData, match=r"crafted\.keras is refused"):
        fdl.load_model(path)


def test_a_class_deep_inside_an_option_is_found(crafted):
    hidden = {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/tmp/graph"}}
    path = crafted(lambda layer: layer["config"]["kernel_initializer"].update({"config": {"seed": [[hidden]]}}))
    with pytest.raises(InvalidData, match="TFSMLayer"):
        fdl.load_model(path)


def test_a_class_of_a_plugin_that_is_not_here_is_answered_with_what_to_install(crafted):
    path = crafted(lambda layer: layer.update(module="x", class_name="Net", registered_name="some-plugin>Net"))
    with pytest.raises(PluginError, match=r"needs the plugin some-plugin, .* pip install some-plugin"):
        fdl.load_model(path)


@pytest.mark.parametrize("name", ["../../evil.py", "/tmp/evil.py", "assets/../../evil.py", "a\\..\\evil.py"])
def test_a_member_that_climbs_out_is_refused(crafted, name):
    with pytest.raises(InvalidData, match="climbs out of the file"):
        fdl.load_model(crafted(members=[(name, "x", zipfile.ZIP_STORED)]))


def test_a_link_and_a_foreign_member_are_refused(crafted):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = 0o120777 << 16
    with pytest.raises(InvalidData, match="climbs out"):
        fdl.load_model(crafted(members=[(link, "/etc/passwd", zipfile.ZIP_STORED)]))
    with pytest.raises(InvalidData, match=r"'setup\.py' is none of a \.keras file"):
        fdl.load_model(crafted(members=[("setup.py", "x", zipfile.ZIP_STORED)]))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(crafted):
    path = crafted(members=[("assets/bomb", bytes(50_000_000), zipfile.ZIP_DEFLATED)])
    assert path.stat().st_size < 200_000
    with pytest.raises(InvalidData, match=r"would unpack from [\d,]+ to 50,000,000 bytes"):
        fdl.load_model(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile, which writes the damaged file
def test_two_members_of_one_name_are_refused(crafted):
    with pytest.raises(InvalidData, match="two members of one name"):
        fdl.load_model(crafted(members=[("config.json", "{}", zipfile.ZIP_STORED)]))


class Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("name", ["model.keras", "model.pkl", "model.bin"])
def test_a_pickle_is_refused_and_not_run(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InvalidData, match="is a pickle, which would run code"):
        fdl.load_model(tmp_path / name)


def test_a_file_of_very_deep_nesting_is_refused(good, tmp_path):
    path = tmp_path / "deep.keras"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = "[" * 200_000 + "]" * 200_000 if name == "config.json" else source.read(name)
            target.writestr(name, content)
    with pytest.raises(InvalidData, match=r"deep\.keras cannot be loaded: it is damaged"):
        fdl.load_model(path)


# ---- MLflow's folders ---------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, good):
    """A folder as `package_model` writes it, as far as it is looked into; the loader and places can be changed."""

    def make(loader="mlflow.keras", data="data"):
        folder = tmp_path / "package"
        (folder / "data").mkdir(parents=True)
        about = {"flavors": {"python_function": {"loader_module": loader, "data": data}, "keras": {"data": "data"}}}
        (folder / "MLmodel").write_text(yaml.safe_dump(about))
        shutil.copy(good, folder / "model.keras")
        return folder

    return make


def test_our_package_is_served_and_one_from_elsewhere_is_not(package):
    folder = package()
    inspect_package(folder, ours=True)
    with pytest.raises(InvalidData, match="from elsewhere, and a SavedModel is a program; --allow-unsafe"):
        inspect_package(folder, ours=False)


def test_a_package_with_another_loader_or_a_pickle_is_refused(package):
    folder = package("mlflow.sklearn")
    with pytest.raises(InvalidData, match=r"loaded by mlflow\.sklearn"):
        inspect_package(folder, ours=True)
    shutil.rmtree(folder)
    folder = package()
    (folder / "data" / "save_spec.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InvalidData, match=r"save_spec\.pkl is a pickle"):
        inspect_package(folder, ours=True)


@pytest.mark.parametrize("place", ["../../elsewhere", "/etc"])
def test_a_package_whose_places_climb_out_is_refused(package, place):
    with pytest.raises(InvalidData, match="climbs out of the folder"):
        inspect_package(package(data=place), ours=True)


def test_a_package_with_a_link_out_of_it_is_refused(package):
    folder = package()
    (folder / "data" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(InvalidData, match="link out of the folder"):
        inspect_package(folder, ours=True)


def test_a_folder_of_another_tool_is_no_model_of_ours(package):
    folder = package()
    (folder / "model.keras").unlink()
    with pytest.raises(InvalidData, match="not packaged by fdl_zoo"):
        fdl.load_model(folder)
    with pytest.raises(InvalidData, match="is no folder of a run or of an MLflow model"):
        fdl.load_model(folder / "data")
