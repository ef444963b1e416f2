"""Names, collisions, unknown names, lists, decorators, failed imports and threads, on registries of their own."""

import threading
from pathlib import Path

import keras
import pytest

from fdl_zoo.card import Card, Variant
from fdl_zoo.data import Dataset
from fdl_zoo.entry import Entry, Failure, normalise
from fdl_zoo.errors import InvalidCard, InvalidName, InvalidOption, PluginError, UnknownName
from fdl_zoo.registry import Registry


@pytest.fixture
def make(tmp_path):
    """A registry of datasets (they need no Keras) from `name: (distribution, card, signature)`."""

    def entry(name, distribution="fdl_zoo", card="", signature="", target=None, door=None, body="return 1"):
        path = tmp_path / f"{normalise(name).replace('/', '_')}.py"
        path.write_text(f'"""The {name}."""\nCARD = Card({card})\ndef build({signature}):\n    {body}\n')
        door = door or ("built-in" if distribution == "fdl_zoo" else "installed")
        target = target or f"{distribution.replace('-', '_')}.{name.rpartition('/')[2].replace('-', '_')}:build"
        return Entry("datasets", name, target, distribution, "1.0", door, path)

    def registry(*entries, failures=(), **options):
        return Registry("datasets", lambda kind: (list(entries), list(failures)), **options)

    registry.entry = entry
    return registry


# ---- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv_net", "Conv-Net", "CONV_NET", " conv-net "])
def test_case_dashes_and_underscores_do_not_matter_at_lookup(make, name):
    assert make(make.entry("conv_net")).find(name).name == "conv_net"


@pytest.mark.parametrize("name", ["Conv-Net", "CONV_NET"])
def test_nor_do_they_at_registration(make, name):
    registry = make(make.entry("conv_net"))
    with pytest.raises(InvalidName, match="claimed by fdl_zoo"):
        registry.register(name)(lambda: None)


@pytest.mark.parametrize("name", ["plug/Wide-Net", "plug/wide_net", "PLUG/WIDE-NET", "wide_net", "Wide-Net"])
def test_a_plugins_entry_has_a_full_and_a_short_name(make, name):
    assert make(make.entry("plug/wide_net", "plug")).find(name).name == "plug/wide_net"


def test_a_built_in_keeps_its_bare_name_beside_a_plugins(make):
    registry = make(make.entry("mlp"), make.entry("plug/mlp", "plug"))
    assert registry.find("mlp").distribution == "fdl_zoo"
    assert registry.find("plug/mlp").distribution == "plug"


def test_a_short_name_of_two_or_three_plugins_is_refused_with_the_full_names(make):
    entries = [make.entry(f"{each}/net", each) for each in ("b", "a", "c")]
    for count, names in ((2, "a/net or b/net"), (3, "a/net or b/net or c/net")):
        with pytest.raises(InvalidName, match=f"write {names}"):
            make(*entries[:count]).find("net")


@pytest.mark.parametrize("name", ["cnn", "CNN", "Conv-1"])
def test_an_alias_finds_its_entry(make, name):
    assert make(make.entry("convnet", card='aliases=("cnn", "conv_1")')).find(name).name == "convnet"


@pytest.mark.parametrize("name", ["cnn", "plug/cnn"])
def test_a_plugins_alias_works_with_and_without_its_distribution(make, name):
    assert make(make.entry("plug/net", "plug", 'aliases=("cnn",)')).find(name).name == "plug/net"


def test_an_alias_never_takes_a_name_away(make):
    one = make.entry("plug/one", "plug", 'aliases=("mlp", "two")')
    registry = make(make.entry("mlp"), one, make.entry("other/two", "other"))
    assert registry.find("mlp").name == "mlp"
    with pytest.raises(InvalidName, match="write other/two or plug/one"):
        registry.find("two")


def test_an_alias_of_two_plugins_is_refused_and_a_built_ins_wins(make):
    entries = [make.entry(f"{each}/{each}_net", each, 'aliases=("cnn",)') for each in "ab"]
    with pytest.raises(InvalidName, match="write a/a_net or b/b_net"):
        make(*entries).find("cnn")
    assert make(*entries, make.entry("convnet", card='aliases=("cnn",)')).find("cnn").name == "convnet"


def test_a_variant_is_an_entry_with_its_options_as_defaults(make):
    entry = make.entry(
        "plug/vgg", "plug", "num_params=5, variants={'vgg16': {'depth': 16}, 'vgg_11': {}}", "*, depth: int = 11"
    )
    registry = make(entry)
    assert registry.names() == ["plug/vgg", "plug/vgg16", "plug/vgg_11"]
    for name in ("VGG16", "plug/vgg16"):
        variant = registry.find(name)
        assert variant.options["depth"].default == 16
        assert variant.variant_of is entry
        assert variant.card.num_params is None
        assert variant.summary == "vgg with depth=16."
        assert registry.check(variant, {}) == {"depth": 16}
        assert registry.check(variant, {"depth": "19"}) == {"depth": 19}
    assert registry.find("vgg-11").name == "plug/vgg_11"


def test_a_variant_with_an_option_that_is_not_there_is_listed_and_reported(make):
    registry = make(make.entry("net", card="variants={'big': {'dept': 3}}", signature="*, depth: int = 1"))
    assert registry.names() == ["big", "net"]
    assert [(each.entry, each.phase) for each in registry.failures()] == [("big", "source")]
    assert "did you mean depth" in registry.failures()[0].message


def test_a_variant_never_takes_an_entrys_name(make):
    registry = make(make.entry("net", card="variants={'mlp': {}}"), make.entry("mlp"))
    assert registry.find("mlp").variant_of is None
    assert "claimed by fdl_zoo (fdl_zoo.mlp:build) and fdl_zoo (fdl_zoo.net:build)" in registry.failures()[0].message


@pytest.mark.parametrize("count", [2, 3])
def test_one_full_name_of_several_targets_names_all_of_them(make, count):
    names = [("My-Plug/net", "My-Plug", "a"), ("my_plug/net", "my_plug", "b"), ("MY-plug/NET", "MY-plug", "c")][:count]
    entries = [make.entry(name, owner, target=f"{module}:build") for name, owner, module in names]
    registry = make(*entries, make.entry("mlp"))
    claims = " and ".join(f"{owner} ({module}:build)" for _, owner, module in names)
    with pytest.raises(InvalidName) as error:
        registry.find("my_plug/net")
    assert f"is claimed by {claims}: rename one of them." in str(error.value)
    (failure,) = registry.failures()
    assert failure.phase == "register"
    assert claims in failure.message
    assert registry.names() == ["mlp"]  # the rest works
    with pytest.raises(UnknownName, match=r"failed to load: .*is claimed by"):
        registry.find("net")


def test_the_same_target_twice_is_no_collision(make):
    names = [("plug/net", "plug"), ("plug/net", "plug"), ("Plug/Net", "Plug")]
    registry = make(*(make.entry(name, owner, target="plug.net:build") for name, owner in names))
    assert registry.failures() == []
    assert registry.find("net").name == "plug/net"


# ---- unknown names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mpl", "No dataset is named 'mpl': did you mean mlp? (`fdl list datasets` shows all)"),
        ("fdl_zoo/mpl", "No dataset is named 'fdl_zoo/mpl': did you mean mlp? (`fdl list datasets` shows all)"),
        ("xyzzy", "No dataset is named 'xyzzy': `fdl list datasets` shows all."),
        (
            "ghost/net",
            "No dataset is named 'ghost/net': its plugin ghost is not installed; `fdl list datasets` shows all.",
        ),
        ("sick/net", "The dataset 'sick/net' failed to load: sick 2 (metadata): pyproject.toml cannot be read."),
        ("Sick", "The dataset 'Sick' failed to load: sick 2 (metadata): pyproject.toml cannot be read."),
        ("torn", "The dataset 'torn' failed to load: well 1, well/torn (metadata): it is no entry."),
        ("well/nett", "No dataset is named 'well/nett': did you mean well/net? (`fdl list datasets` shows all)"),
        ("keras/Adam", "No dataset is named 'keras/Adam': `fdl list datasets` shows all."),
        ("", "No dataset is named '': `fdl list datasets` shows all."),
        (5, "A dataset is named by text, not by 5: `fdl list datasets` shows the names."),
        (None, "A dataset is named by text, not by None: `fdl list datasets` shows the names."),
    ],
)
def test_an_unknown_name_says_which_of_three_it_is(make, name, sentence):
    registry = make(
        make.entry("mlp"),
        make.entry("well/net", "well"),
        failures=[
            Failure("sick", "2", "", "metadata", "pyproject.toml cannot be read."),
            Failure("well", "1", "well/torn", "metadata", "it is no entry."),
        ],
        absent=lambda distribution: "not installed" if distribution == "ghost" else None,
    )
    with pytest.raises(UnknownName) as error:
        registry.find(name)
    assert str(error.value) == sentence


def test_a_discovery_that_fails_is_told_every_time(make):
    def discover(kind):
        raise OSError("disk gone")

    registry = Registry("datasets", discover)
    for _ in range(2):
        with pytest.raises(OSError, match="disk gone"):
            registry.names()


# ---- lists --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(make):
    return make(
        make.entry(
            "plug/wide", "plug", "task=('regression', 'binary'), chapter=3, num_params=50, tags=('Fully-Dense',)"
        ),
        make.entry("mlp", card="task='classification', chapter=3, num_params=100, tags=('fully_dense',)"),
        make.entry("conv_1", card="task='classification', chapter=5, num_params=1000"),
        make.entry("conv_2", card="task='binary', chapter=5"),
        make.entry("conv_9"),
        keras=lambda kind: [Entry("datasets", f"keras/{each}", f"keras:{each}", "keras") for each in ("Ada", "Sgd")],
    )


ALL = ["conv_1", "conv_2", "conv_9", "mlp", "plug/wide"]


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (None, ALL),
        ("*", ALL),
        ("conv*", ["conv_1", "conv_2", "conv_9"]),
        ("CONV-?", ["conv_1", "conv_2", "conv_9"]),
        ("conv_[1-2]", ["conv_1", "conv_2"]),
        ("conv_[!1-2]", ["conv_9"]),
        ("[A-C]onv_9", ["conv_9"]),
        ("plug/*", ["plug/wide"]),
        ("w*", ["plug/wide"]),
        (["mlp", "conv_1"], ["conv_1", "mlp"]),
        (("c*", "conv_1"), ["conv_1", "conv_2", "conv_9"]),
        ((each for each in ["mlp"]), ["mlp"]),
        ([], []),
        ("keras/*", ["keras/Ada", "keras/Sgd"]),
        (["keras/a*", "mlp"], ["keras/Ada", "mlp"]),
    ],
)
def test_wildcards_as_text_or_as_a_list(shelf, match, names):
    assert sorted(shelf.names(match)) == sorted(names)


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        ("mpl", "No dataset matches 'mpl': did you mean mlp?"),
        ("zzz*", "No dataset matches 'zzz*': `fdl list datasets` shows all."),
        (["mlp", "zzz*"], "No dataset matches 'zzz*': `fdl list datasets` shows all."),
        ("keras/zzz", "No dataset matches 'keras/zzz': did you mean keras/Sgd"),
        ("", "No dataset matches '': `fdl list datasets` shows all."),
        ("conv_[1", "No dataset matches 'conv_[1': did you mean conv_1"),
    ],
)
def test_a_pattern_that_matches_nothing_says_so(shelf, match, sentence):
    with pytest.raises(UnknownName) as error:
        shelf.names(match)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"task": "binary"}, ["conv_2", "plug/wide"]),
        ({"task": "objective"}, []),
        ({"chapter": 5}, ["conv_1", "conv_2"]),
        ({"max_params": 100}, ["mlp", "plug/wide"]),
        ({"max_params": 99}, ["plug/wide"]),
        ({"max_params": 0}, []),
        ({"tag": "fully-dense"}, ["mlp", "plug/wide"]),
        ({"origin": "plug"}, ["plug/wide"]),
        ({"origin": "FDL-zoo"}, ["conv_1", "conv_2", "conv_9", "mlp"]),
        ({"origin": "installed"}, ["plug/wide"]),
        ({"origin": "Keras"}, ["keras/Ada", "keras/Sgd"]),
        ({"match": "c*", "chapter": 5, "task": "binary"}, ["conv_2"]),
    ],
)
def test_filters_by_task_chapter_size_tag_and_origin(shelf, filters, names):
    assert shelf.names(**filters) == names


def test_a_misspelt_task_is_refused_and_not_an_empty_list(shelf):
    with pytest.raises(InvalidOption, match="cannot be 'clasification': it is one of classification"):
        shelf.names(task="clasification")


# ---- decorators ---------------------------------------------------------------------------------------------------


def test_a_decorated_function_is_an_entry_with_card_options_and_summary(make):
    registry = make()

    @registry.register("Small-Net", card=Card(chapter=3, variants={"tiny": Variant({"units": 2})}))
    def build(*, units: int = 8):
        """A small net.

        Args:
            units: Neurons.
        """
        return units

    entry = registry.find("small_net")
    assert entry.summary == "A small net."
    assert entry.card.chapter == 3
    assert entry.options["units"].help == "Neurons."
    assert entry.distribution == entry.door == "notebook"
    assert registry.find("tiny").options["units"].default == 2
    assert registry.names(origin="notebook") == ["Small-Net", "tiny"]
    registry.refresh()
    assert registry.find("small_net").function is build


def test_a_cell_run_again_replaces_its_own_function_and_another_cannot(make):
    registry = make()
    space = {"register": registry.register, "__name__": "__main__"}
    for value in (1, 2):
        exec(f"@register('net')\ndef build(*, units: int = {value}): ...", space)
    assert registry.find("net").options["units"].default == 2
    with pytest.raises(InvalidName, match=r"notebook \(__main__:build\) and notebook \(__main__:other\)"):
        exec("@register('net')\ndef other(): ...", space)
    assert registry.find("net").options["units"].default == 2


@pytest.mark.parametrize("name", ["", " ", "a b", "1st", "a/", "/a", "a.b", "*", "net!", "a\nb", None, 5])
def test_a_malformed_name_is_refused_at_registration(make, name):
    with pytest.raises(InvalidName, match="begin with a letter"):
        make().register(name)


def test_a_factory_outside_the_contract_is_refused_and_leaves_nothing(make):
    registry = make()

    def build(*, units: list = ()): ...

    with pytest.raises(InvalidCard, match="cannot be annotated"):
        registry.register("net")(build)
    assert registry.names() == []


def test_registration_from_inside_a_registration(make):
    registry = make()

    def outer(*, units: int = 1): ...

    def decorate(function):
        registry.register("inner")(lambda: 1)
        return registry.register("outer")(function)

    decorate(outer)
    assert registry.names() == ["inner", "outer"]


# ---- building -----------------------------------------------------------------------------------------------------


def test_options_are_checked_before_the_factory_runs(make):
    registry, called = make(), []

    @registry.register("net", card=Card(ranges={"rate": "(0, 1)"}))
    def build(*, rate: float = 0.1, path: str):
        called.append((rate, path))
        return Dataset.__new__(Dataset)

    for options, sentence in (
        ({}, "net needs the option 'path': it is str."),
        ({"path": "x", "rate": 2}, "net: rate cannot be 2: it lies in (0, 1)."),
        ({"path": "x", "rat": 1}, "net has no option 'rat': did you mean rate"),
        ({"path": "x", "input_shape": (1,)}, "net has no option 'input_shape'"),
    ):
        with pytest.raises(InvalidOption) as error:
            registry.build("net", **options)
        assert str(error.value).startswith(sentence)
    assert called == []
    assert isinstance(registry.build("net", path=5, rate="1e-3"), Dataset)
    assert called == [(0.001, "5")]


def test_a_wrong_return_type_is_refused_and_recorded(make):
    registry = make()
    registry.register("net")(lambda: 5)
    with pytest.raises(PluginError, match=r"returned a int, where a fdl_zoo\.data\.Dataset is expected"):
        registry.build("net")
    assert [(each.entry, each.phase) for each in registry.failures()] == [("net", "build")]


# ---- failing imports, through the real doors ----------------------------------------------------------------------

PARTIAL = """
import fdl_zoo
from fdl_zoo.card import Card

@fdl_zoo.register_dataset("half_made")
def half(*, units: int = 1): ...

@fdl_zoo.register_model("half_model")
def half_model(input_shape, num_outputs): ...
"""


def written(plugins, top, body="return 1"):
    plugins.module(plugins.site() / "sad_plug.py", top=top, body=body)
    plugins.distribution("sad-plug", {"datasets": {"net": "sad_plug:build"}})
    return plugins.look()


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("raise RuntimeError('no licence\\nsecond line')", "RuntimeError: no licence"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("raise ValueError", "ValueError"),
    ],
)
def test_a_failed_import_is_recorded_and_what_it_had_registered_is_undone(plugins, end, cause):
    catalogue = written(plugins, PARTIAL + end + "\n")
    for _ in range(2):
        with pytest.raises(PluginError) as error:
            catalogue.load_dataset("sad-plug/net")
        assert str(error.value) == f"The dataset sad-plug/net failed to load: {cause}"
    assert catalogue.list_datasets(origin="notebook") == []
    assert catalogue.list_models(origin="notebook") == []
    (failure,) = catalogue.failures()
    assert (failure.distribution, failure.version, failure.entry, failure.phase, failure.message) == (
        "sad-plug",
        "1.0",
        "sad-plug/net",
        "import",
        cause,
    )
    assert "digits" in catalogue.list_datasets()


def test_the_first_cause_is_kept(plugins, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    top = (
        f"import os\nif os.path.exists({str(flag)!r}):\n    raise RuntimeError('first')\nraise RuntimeError('second')\n"
    )
    catalogue = written(plugins, top)
    for _ in range(2):
        with pytest.raises(PluginError, match="first"):
            catalogue.load_dataset("net")
        flag.unlink(missing_ok=True)


def test_a_failed_import_gives_back_what_it_had_replaced(plugins):
    catalogue = written(plugins, "import helper_of_sad_plug\nraise RuntimeError\n")
    (plugins.site() / "helper_of_sad_plug.py").write_text(
        "import fdl_zoo\nspace = {'__name__': '__main__'}\n"
        "exec('def kept(*, units: int = 2): ...', space)\nfdl_zoo.register_dataset('mine')(space['kept'])\n"
    )
    space = {"__name__": "__main__"}
    exec("def kept(*, units: int = 1): ...", space)
    catalogue.register_dataset("mine")(space["kept"])
    with pytest.raises(PluginError):
        catalogue.load_dataset("net")
    assert catalogue.datasets.find("mine").function is space["kept"]


def test_a_failed_import_leaves_nothing_registered_with_keras(plugins):
    registered = keras.saving.get_custom_objects()

    @keras.saving.register_keras_serializable("sad-plug")
    def taken(x): ...

    before = dict(registered)
    register = "@keras.saving.register_keras_serializable('sad-plug')\n"
    top = f"import keras\n{register}def taken(x): ...\n{register}class New(keras.layers.Layer): ...\nraise ValueError\n"
    catalogue = written(plugins, top)
    with pytest.raises(PluginError):
        catalogue.load_dataset("net")
    assert dict(registered) == before
    del registered["sad-plug>taken"]


def test_a_factory_that_fails_or_exits_is_a_plugins_error(plugins):
    catalogue = written(plugins, "from fdl_zoo.card import Card\n", body="raise SystemExit('bye')")
    with pytest.raises(PluginError, match="sad-plug/net failed to build: SystemExit: bye"):
        catalogue.load_dataset("net")
    assert [each.phase for each in catalogue.failures()] == ["build"]


def test_an_attribute_that_is_not_there_is_recorded(plugins):
    plugins.module(plugins.site() / "sad_plug.py")
    plugins.distribution("sad-plug", {"datasets": {"net": "sad_plug:make"}})
    catalogue = plugins.look()
    with pytest.raises(PluginError, match="AttributeError"):
        catalogue.load_dataset("net")
    assert {each.phase for each in catalogue.failures()} == {"source", "import"}


# ---- threads ------------------------------------------------------------------------------------------------------


def test_fifty_threads_list_find_build_and_register(plugins):
    for number in range(10):
        module = plugins.module(
            plugins.site() / f"crowd_{number}.py",
            top="import time\nimport fdl_zoo\nfrom fdl_zoo.card import Card\nfrom fdl_zoo.data import Dataset\n"
            f"time.sleep(0.02)\nfdl_zoo.register_model('side_{number}')(lambda input_shape, num_outputs: None)\n",
            card=f"variants={{'crowd_{number}_big': {{'units': 9}}}}",
            signature="*, units: int = 1",
            body="made = Dataset.__new__(Dataset)\n    object.__setattr__(made, 'units', units)\n    return made",
        )
        plugins.distribution(f"crowd-{number}", {"datasets": {f"crowd_{number}": f"{Path(module).stem}:build"}})
    catalogue = plugins.look()
    barrier, errors, built = threading.Barrier(50), [], []

    def work(number):
        try:
            barrier.wait()
            name = f"crowd_{number % 10}"
            catalogue.register_dataset(f"thread_{number}")(lambda: None)
            assert len(catalogue.list_datasets("crowd-*/*")) == 20
            assert catalogue.datasets.find(name).name == f"crowd-{number % 10}/{name}"
            built.append(catalogue.load_dataset(name + "_big").units)
            assert f"thread_{number}" in catalogue.list_datasets(origin="notebook")
            assert catalogue.failures() == []
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert built == [9] * 50
    assert len(catalogue.list_datasets("thread_*")) == 50
    assert len(catalogue.list_models("side_*")) == 10


def test_a_model_is_built_for_its_data_by_the_names_of_the_contract():
    registry = Registry("models", lambda kind: ([], []))
    registry.register("other_names")(lambda shape, classes, units=3: keras.Sequential())
    registry.register("any_names")(lambda **given: keras.Sequential())
    with pytest.raises(
        InvalidCard, match=r"its build takes \(shape, classes, units\), and a model's takes input_shape and"
    ):
        registry.build("other_names", (3,), 2)
    assert isinstance(registry.build("any_names", input_shape=(3,), num_outputs=2), keras.Sequential)


@pytest.mark.parametrize(
    ("card", "factory", "message"),
    [
        (None, keras.Sequential(), "A Sequential cannot be registered as the model mine: give a function"),
        ({"chapter": 3}, lambda input_shape, num_outputs: None, "The card of mine cannot be a dict"),
    ],
)
def test_what_builds_nothing_is_not_registered(card, factory, message):
    registry = Registry("models", lambda kind: ([], []))
    with pytest.raises(InvalidCard, match=message):
        registry.register("mine", card)(factory)
    assert registry.names() == []
