"""What `new` writes is a plugin that is listed as it stands, and what it refuses leaves nothing behind."""

import tomllib

import pytest

from fdl_zoo import new_plugin
from fdl_zoo.entry import KINDS
from fdl_zoo.errors import InvalidName, ZooError


@pytest.fixture
def listed(monkeypatch, catalogue_afresh, tmp_path):
    """The catalogue once plugins were written into a folder that is named."""

    def look():
        monkeypatch.setenv("FDL_ZOO_PLUGINS", "all")
        monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(tmp_path))
        catalogue_afresh.refresh()
        return catalogue_afresh

    return look


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_listed_with_card_options_and_summary_and_without_a_problem(kind, listed, tmp_path):
    noun = kind.removesuffix("s")
    files = new_plugin("My-own-1", noun, tmp_path)
    assert [file.name for file in files] == ["pyproject.toml", "my_own_1.py", "test_my_own_1.py"]
    assert sorted((tmp_path / "My-own-1").iterdir()) == sorted(files)
    catalogue = listed()
    assert catalogue.failures() == []
    entry = catalogue.registry(kind).find("my_own_1")
    assert (entry.name, entry.version, entry.kind) == ("My-own-1/my_own_1", "0.1.0", kind)
    assert entry.summary.startswith("My own 1: ")
    assert entry.options
    assert all(option.help for option in entry.options.values())
    project = tomllib.loads(files[0].read_text())["project"]
    assert project["dependencies"] == ["fdl-zoo>=0.1"]
    assert "$" not in "".join(file.read_text() for file in files)


@pytest.mark.parametrize("name", ["", "3net", "-net", "net-", "my net", "../net", "my.net", "net/a", "lambda", "match",
                                  "x" * 61, "näh", "a\n", 5])  # fmt: skip
def test_a_malformed_name_is_refused(name, tmp_path):
    with pytest.raises(InvalidName, match=r"begin with a letter .* for example my-net"):
        new_plugin(name, "model", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("json", "model", "Python has a module 'json' already"),
        ("NumPy", "model", "Python has a module .numpy. already"),
        ("fdl-zoo", "model", "Python has a module 'fdl_zoo' already"),
        ("Keras", "model", "Python has a module .keras. already"),
        ("notebook", "model", "Python has a module 'notebook' already"),
        ("mlp", "model", "there is a built-in model of this name"),
        ("VGG16", "model", "there is a built-in model of this name"),
        ("adam", "optimizer", "there is a built-in optimizer of this name"),
        ("two-spirals", "dataset", "there is a built-in dataset of this name"),
        ("my-net", "models!", "There is no kind 'models!'"),
    ],
)
def test_a_name_that_is_taken_is_refused(name, kind, says, tmp_path):
    with pytest.raises(ZooError, match=says):
        new_plugin(name, kind, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_another_kind_is_free(tmp_path):
    assert new_plugin("mlp", "optimizer", tmp_path)


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_exists_is_never_written_over(what, tmp_path):
    place = tmp_path / "my-net"
    {
        "folder": place.mkdir,
        "file": lambda: place.write_text("mine"),
        "link": lambda: place.symlink_to(tmp_path / "nowhere"),
    }[what]()
    with pytest.raises(InvalidName, match="it exists already; choose another name"):
        new_plugin("my-net", "model", tmp_path)
    assert list(tmp_path.iterdir()) == [place]


def test_folders_on_the_way_are_made(tmp_path):
    files = new_plugin("my-net", "model", tmp_path / "a" / "b")
    assert files[0] == tmp_path / "a" / "b" / "my-net" / "pyproject.toml"
    assert [each.name for each in (tmp_path / "a" / "b").iterdir()] == ["my-net"]
