"""The three doors, with real folders and real metadata; nothing is imported until it is built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fdl_zoo
from fdl_zoo.errors import InvalidName, PluginError, UnknownName

RAISES = "raise RuntimeError('a listing has imported this')\n"
CARD = "chapter=5, task='classification', num_params=7"


def only(catalogue, kind="models"):
    """The entries that come from plugins."""
    return [each for each in catalogue.registry(kind).entries() if each.door in ("installed", "folder")]


# ---- the first door -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["models", "optimizers", "callbacks", "datasets"])
def test_the_folder_listing_is_the_catalogue(plugins, kind):
    catalogue = plugins.look("none")
    files = {path.stem for path in (Path(fdl_zoo.__file__).parent / kind).glob("[!_]*.py")}
    entries = catalogue.registry(kind).entries()
    assert {each.name for each in entries if each.variant_of is None} == files
    assert {each.door for each in entries} == {"built-in"}
    assert all(each.source.problem == "" and each.summary for each in entries)
    assert catalogue.failures() == []


# ---- the second door ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("plug.py", "plug:build"),
        ("plug/__init__.py", "plug:build"),
        ("plug/net.py", "plug.net:build"),
        ("plug/deep/net/__init__.py", "plug.deep.net:build"),
        ("plug/net.py", "plug.net : build [extra]"),
        ("plug/net.py", "plug.net:make"),
    ],
)
def test_an_installed_entry_is_read_and_never_imported(plugins, file, target):
    attribute = "make" if "make" in target else "build"
    path = plugins.module(plugins.site() / file, "A net.", CARD, "*, units: int = 3", top=RAISES)
    path.write_text(path.read_text().replace("def build", f"def {attribute}"))
    if file.startswith("plug/") and file != "plug/__init__.py":
        (plugins.site() / "plug" / "__init__.py").write_text(RAISES)
    plugins.distribution("my-plug", {"models": {"net": target}}, version="2.1")
    catalogue = plugins.look()
    (entry,) = only(catalogue)
    assert (entry.name, entry.summary, entry.distribution, entry.version) == ("my-plug/net", "A net.", "my-plug", "2.1")
    assert entry.card.chapter == 5
    assert entry.options["units"].default == 3
    assert entry.path == path
    assert catalogue.list_models(origin="My_Plug", chapter=5, max_params=7) == ["my-plug/net"]
    assert catalogue.failures() == []
    assert "plug" not in sys.modules


def test_all_four_groups_of_one_distribution(plugins):
    plugins.module(plugins.site() / "plug.py")
    kinds = ("models", "optimizers", "callbacks", "datasets")
    plugins.distribution("plug", {kind: {f"my_{kind}": "plug:build"} for kind in kinds})
    catalogue = plugins.look()
    for kind in kinds:
        assert [each.name for each in only(catalogue, kind)] == [f"plug/my_{kind}"]
    (plugin,) = catalogue.discovery.plugins
    assert [each.kind for each in plugin.entries] == list(kinds)
    assert plugin.seconds >= 0


def test_a_namespace_package_over_two_folders(plugins):
    for site in ("one", "two"):
        plugins.module(plugins.site(site) / "shared_space" / f"{site}.py", f"Net {site}.", top=RAISES)
        plugins.distribution(f"plug-{site}", {"models": {site: f"shared_space.{site}:build"}}, site=site)
    catalogue = plugins.look()
    assert {each.name: each.summary for each in only(catalogue)} == {
        "plug-one/one": "Net one.",
        "plug-two/two": "Net two.",
    }


def test_an_editable_install_beside_a_wheel_is_one_entry(plugins):
    plugins.module(plugins.site("site") / "plug.py", "The wheel's.")
    plugins.module(plugins.site("source") / "plug.py", "The editable one.")
    plugins.distribution("my-plug", {"models": {"net": "plug:build"}})
    plugins.distribution("My_Plug", {"models": {"net": "plug:build"}}, version="1.1", site="source")
    catalogue = plugins.look()
    (entry,) = only(catalogue)
    assert catalogue.failures() == []
    assert entry.summary == "The editable one."  # what `import plug` would give
    assert entry.version == "1.1"
    assert len(catalogue.discovery.plugins) == 2


def test_two_versions_with_other_targets_collide_and_the_rest_works(plugins):
    for version, module in (("1.0", "old"), ("2.0", "new")):
        plugins.module(plugins.site(module) / f"plug_{module}.py", card=CARD)
        points = {"net": f"plug_{module}:build", f"{module}_net": f"plug_{module}:build"}
        plugins.distribution("plug", {"models": points}, version=version, site=module)
    catalogue = plugins.look()
    assert {each.short_name for each in only(catalogue)} == {"old_net", "new_net"}
    (failure,) = catalogue.failures()
    assert "plug (plug_new:build)" in failure.message
    assert "plug (plug_old:build)" in failure.message
    with pytest.raises(InvalidName, match="is claimed by plug"):
        catalogue.models.find("plug/net")
    with pytest.raises(PluginError, match=r"--strict: .*; `fdl plugins doctor` shows all"):
        catalogue.require_healthy()


@pytest.mark.parametrize("count", [2, 3])
def test_a_short_name_over_several_distributions(plugins, count):
    for owner in "abc"[:count]:
        plugins.module(plugins.site() / f"plug_{owner}.py")
        plugins.distribution(f"plug-{owner}", {"models": {"net": f"plug_{owner}:build"}})
    catalogue = plugins.look()
    with pytest.raises(InvalidName) as error:
        catalogue.models.find("net")
    assert all(f"plug-{owner}/net" in str(error.value) for owner in "abc"[:count])
    assert catalogue.models.find("plug-b/net").distribution == "plug-b"
    assert catalogue.failures() == []


@pytest.mark.parametrize(
    ("name", "target", "part"),
    [
        ("net", "plug", 'write name = "module:build"'),
        ("net", "plug:", 'write name = "module:build"'),
        ("net", ":build", 'write name = "module:build"'),
        ("net", "pl ug:build", 'write name = "module:build"'),
        ("net", "../plug:build", 'write name = "module:build"'),
        ("net", "plug:Class.build", 'write name = "module:build"'),
        ("my net", "plug:build", "begin with a letter"),
        ("3net", "plug:build", "begin with a letter"),
        ("a/net", "plug:build", "begin with a letter"),
    ],
)
def test_a_malformed_entry_point_is_a_failure(plugins, name, target, part):
    plugins.module(plugins.site() / "plug.py")
    plugins.distribution("plug", {"models": {name: target, "good": "plug:build"}})
    catalogue = plugins.look()
    assert [each.name for each in only(catalogue)] == ["plug/good"]
    (failure,) = catalogue.failures()
    assert (failure.distribution, failure.entry, failure.phase, failure.kind) == (
        "plug",
        f"plug/{name}",
        "metadata",
        "models",
    )
    assert part in failure.message


@pytest.mark.parametrize(
    "damage",
    [
        lambda info: (info / "entry_points.txt").write_text("[fdl_zoo.models]\nnet\n"),
        lambda info: (info / "entry_points.txt").write_bytes(b"[fdl_zoo.models]\nnet = pl\xffug:build\n"),
        lambda info: (info / "METADATA").unlink(),
        lambda info: (info / "METADATA").write_text("Metadata-Version: 2.1\nVersion: 1.0\n"),
        lambda info: (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a/b\nVersion: 1.0\n"),
        lambda info: (info / "METADATA").write_bytes(b"Name: plug\xff\nVersion: 1.0\n"),
    ],
)
def test_a_damaged_distribution_is_a_failure_and_the_rest_works(plugins, damage):
    damage(plugins.distribution("plug", {"models": {"net": "plug:build"}}))
    plugins.module(plugins.site() / "well.py")
    plugins.distribution("well", {"models": {"net": "well:build"}})
    catalogue = plugins.look()
    assert [each.name for each in only(catalogue)] == ["well/net"]
    assert "digits" in catalogue.list_datasets()
    (failure,) = catalogue.failures()
    assert (failure.distribution, failure.phase) == ("plug", "metadata")
    assert "cannot be read" in failure.message
    with pytest.raises(UnknownName, match="failed to load: plug"):
        catalogue.models.find("plug/net")


def test_a_distribution_without_a_version_is_listed(plugins):
    info = plugins.distribution("plug", {"models": {"net": "plug:build"}})
    plugins.module(plugins.site() / "plug.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\n")
    assert only(plugins.look())[0].version == ""


@pytest.mark.parametrize(
    ("top", "part"),
    [
        ("CHAPTER = 5\nCARD = Card(chapter=CHAPTER)\n", "'CHAPTER' (line 2) is no literal"),
        ("def build(:\n", "plug.py cannot be read"),
        ("CARD = Card(chapter='five')\n", "chapter cannot be 'five'"),
    ],
)
def test_a_card_that_is_not_literal_is_listed_without_card_and_doctor_knows(plugins, top, part):
    (plugins.site() / "plug.py").write_text(f"{top}def build(): ...\n")
    plugins.distribution("plug", {"models": {"net": "plug:build"}})
    catalogue = plugins.look()
    (entry,) = only(catalogue)
    assert entry.card.chapter is None
    (failure,) = catalogue.failures()
    assert (failure.entry, failure.phase) == ("plug/net", "source")
    assert part in failure.message
    assert catalogue.describe("models", "plug/net")["problem"] == failure.message


def test_a_module_without_source_is_listed_and_reported(plugins):
    plugins.distribution("plug", {"models": {"net": "no_such_module.net:build"}})
    catalogue = plugins.look()
    assert [each.name for each in only(catalogue)] == ["plug/net"]
    assert "the source of module 'no_such_module.net' was not found" in catalogue.failures()[0].message


# ---- the third door -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("net_a.py", "net_a:build"),
        ("net_a/__init__.py", "net_a:build"),
        ("net_a/part.py", "net_a.part:build"),
        ("src/net_a.py", "net_a:build"),
        ("src/net_a/__init__.py", "net_a:build"),
        ("src/net_a/part.py", "net_a.part:build"),
    ],
)
def test_a_folders_child_is_read_and_built(plugins, file, target):
    child = plugins.folder("child", {"datasets": {"net": target}}, name="My-Plug", version="3.0")
    path = plugins.module(
        child / file,
        "A folder's net.",
        CARD,
        top="from fdl_zoo.card import Card\nfrom fdl_zoo.data import Dataset\n",
        body="return Dataset.__new__(Dataset)",
    )
    catalogue = plugins.look("all", plugins.root / "plugins")
    (entry,) = only(catalogue, "datasets")
    assert (entry.name, entry.version, entry.door, entry.path) == ("My-Plug/net", "3.0", "folder", path)
    assert entry.summary == "A folder's net."
    assert "net_a" not in sys.modules
    assert type(catalogue.load_dataset("net")).__name__ == "Dataset"
    assert Path(sys.modules[target.partition(":")[0]].__file__) == path


def test_the_folder_itself_may_be_the_plugin_and_be_named_twice(plugins):
    child = plugins.folder("child", {"models": {"net": "net_b:build"}})
    plugins.module(child / "net_b.py")
    catalogue = plugins.look("all", child, child, plugins.root / "plugins")
    assert [each.name for each in only(catalogue)] == ["child/net"]
    assert catalogue.failures() == []


def test_a_module_of_another_place_is_not_taken_for_the_folders(plugins):
    for child in ("one", "two"):
        folder = plugins.folder(child, {"datasets": {f"net_{child}": "same_module:build"}})
        plugins.module(folder / "same_module.py", f"Of {child}.")
    catalogue = plugins.look("all", plugins.root / "plugins")
    assert {each.summary for each in only(catalogue, "datasets")} == {"Of one.", "Of two."}
    with pytest.raises(PluginError, match="returned a int"):
        catalogue.load_dataset("net_one")
    with pytest.raises(PluginError, match=r"'same_module' is already at .*one.*; rename one of them"):
        catalogue.load_dataset("net_two")


@pytest.mark.parametrize(
    "text",
    [
        b"[project\n",
        b"\xff\xfe",
        b"project = 3\n",
        b"[project]\nname = 5\n",
        b'[project]\nname = ""\n',
        b'[project]\nname = "a/b"\n',
        b'[project]\nname = "sick"\nentry-points = 3\n',
        b'[project]\nname = "sick"\n[project.entry-points]\n"fdl_zoo.models" = ["net"]\n',
        b'[project]\nname = "sick"\n[project.entry-points."fdl_zoo.models"]\nnet = 5\n',
    ],
)
def test_a_broken_pyproject_is_a_failure_and_the_other_children_work(plugins, text):
    child = plugins.folder("well", {"models": {"net": "net_c:build"}})
    plugins.module(child / "net_c.py")
    sick = plugins.root / "plugins" / "sick"
    sick.mkdir()
    (sick / "pyproject.toml").write_bytes(text)
    catalogue = plugins.look("all", plugins.root / "plugins")
    assert [each.name for each in only(catalogue)] == ["well/net"]
    (failure,) = catalogue.failures()
    assert (failure.distribution, failure.phase) == ("sick", "metadata")
    assert "\n" not in failure.message
    with pytest.raises(UnknownName, match=r"sick.*\(metadata\)"):
        catalogue.models.find("sick/net")


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_plugins_is_a_failure(plugins, folder):
    (plugins.root / "empty").mkdir()
    (failure,) = plugins.look("all", plugins.root / folder).failures()
    assert "no child with a pyproject.toml" in failure.message


def test_children_without_pyproject_or_entries_are_not_looked_at(plugins):
    plugins.folder("other", {})
    (plugins.root / "plugins" / "loose").mkdir()
    (plugins.root / "plugins" / "loose" / "net.py").write_text(RAISES)
    catalogue = plugins.look("all", plugins.root / "plugins")
    assert only(catalogue) == []
    assert catalogue.failures() == []


# ---- what is looked at --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("all", {"plug-a/net", "plug-b/net", "child/net"}),
        ("", set()),
        ("none", set()),
        ("Plug_A", {"plug-a/net"}),
        (" plug-a , child ", {"plug-a/net", "child/net"}),
        ("none,plug-b", {"plug-b/net"}),
        ("plug-a,all", {"plug-a/net", "plug-b/net", "child/net"}),
        ("ghost", set()),
    ],
)
def test_the_environment_restricts_what_is_looked_at(plugins, words, names):
    for owner in "ab":
        plugins.module(plugins.site() / f"plug_{owner}.py", card=CARD)
        plugins.distribution(f"plug-{owner}", {"models": {"net": f"plug_{owner}:build"}})
    plugins.module(plugins.folder("child", {"models": {"net": "net_d:build"}}) / "net_d.py")
    catalogue = plugins.look(words, plugins.root / "plugins")
    assert {each.name for each in only(catalogue)} == names
    if words == "none":
        with pytest.raises(UnknownName, match="its plugin plug-a is switched off by FDL_ZOO_PLUGINS=none"):
            catalogue.models.find("plug-a/net")


def test_an_absent_distribution_says_why(plugins):
    plugins.distribution("other", {})
    catalogue = plugins.look()
    with pytest.raises(UnknownName, match=r"its plugin ghost is not installed \(pip install ghost\)"):
        catalogue.models.find("ghost/net")
    with pytest.raises(UnknownName, match="its plugin other is installed, but has no entries for fdl_zoo"):
        catalogue.models.find("other/net")
    with pytest.raises(UnknownName, match="no distribution's name"):
        catalogue.models.find("/net")


def test_the_current_directory_is_never_looked_at_by_itself(plugins):
    child = plugins.folder("here", {"models": {"net": "net_e:build"}}, parent=".")
    plugins.module(child / "net_e.py", top=RAISES)
    info = plugins.distribution("evil", {"models": {"evil": "evil:build"}}, site="elsewhere")
    (child / info.name).mkdir()
    for file in info.iterdir():
        (child / info.name / file.name).write_text(file.read_text())
    code = "import fdl_zoo; print(fdl_zoo.list_models())"  # `python -c` has the empty entry on sys.path
    environment = {**os.environ, "FDL_ZOO_PLUGINS": "all", "PYTHONPATH": str(Path(fdl_zoo.__file__).parents[1])}
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=child, env=environment, capture_output=True, text=True, check=True
    )
    assert "mlp" in listed.stdout
    assert "evil" not in listed.stdout
    assert "net" not in eval(listed.stdout)


def test_what_is_installed_later_is_seen_after_a_refresh(plugins):
    catalogue = plugins.look()
    assert only(catalogue) == []
    plugins.module(plugins.site() / "plug_late.py")
    plugins.distribution("late", {"models": {"net": "plug_late:build"}})
    assert only(catalogue) == []
    catalogue.refresh()
    assert [each.name for each in only(catalogue)] == ["late/net"]
