"""Which children of earlier commands a sweep takes, and which it trains again; no process is started."""

import importlib.metadata
import os
import signal

import pytest
from PIL import Image

from fdl_zoo import catalogue
from fdl_zoo.comparison import parent
from fdl_zoo.comparison.parent import Sweep
from fdl_zoo.errors import RunInUse
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training import provenance

EPOCHS = 4


class Trainer:
    """In place of `Pool`: a child's loss is its epoch's number, and the judge may give it up."""

    def __init__(self, jobs, log):
        pass

    def run(self, job, *, started, judge):
        spec = RunSpec.model_validate(job["spec"])
        facts = {"sweep": job["sweep"], "versions": provenance.versions(spec)}
        if "path" in spec.data.options:
            facts["dataset"] = {"digest": catalogue.load_dataset(spec.data.name, **spec.data.options).digest()}
        folder = RunFolder.create(job["name"], spec=spec.to_yaml(), facts=facts, root=job["root"])
        for epoch in range(1, EPOCHS + 1):
            folder.append_history({"epoch": epoch, "step": epoch, "seconds": 1.0, "metrics": {"val_loss": epoch}})
            if judge and not judge(epoch, {"val_loss": epoch}):
                folder.update_facts(sweep={**job["sweep"], "pruned": epoch})
                break
        folder.finish("FINISHED")
        return {"status": "FINISHED", "reason": "", "name": folder.name}

    def close(self):
        pass


def resolved(data=None):
    values = {"epochs": EPOCHS, "tracking": {"enabled": False}}
    return resolve(make_layers("logistic_regression", data, values=values))


@pytest.fixture
def train(monkeypatch, tmp_path):
    monkeypatch.setattr(parent, "Pool", Trainer)

    def child(kind, digest, judge=None, data=None):
        run = resolved(data)
        with Sweep(kind, run, digest, {}, jobs=1, root=tmp_path / "mlruns", say=lambda text: None) as sweep:
            return sweep.train(run, "adam", judge=judge)

    return child


def giving_up_after(last):
    return lambda epoch, metrics: epoch < last


def test_a_pruned_child_is_taken_by_the_search_that_gives_it_up_again(train):
    pruned = train("tune", "a", giving_up_after(2))
    assert (pruned.epochs, pruned.reused) == ((1, 2), False)
    again = train("tune", "a", giving_up_after(2))
    assert (again.name, again.reused) == (pruned.name, True)


def test_a_search_that_would_not_give_it_up_any_more_trains_it_to_its_end(train):
    train("tune", "a", giving_up_after(2))
    whole = train("tune", "a", giving_up_after(9))
    assert (len(whole.epochs), whole.reused) == (EPOCHS, False)


@pytest.mark.parametrize("kind", ["compare", "tune"])
def test_another_sweep_trains_it_to_its_end_and_the_whole_one_is_taken_from_then_on(train, kind):
    train("tune", "a", giving_up_after(2))
    whole = train(kind, "b")
    assert (len(whole.epochs), whole.reused) == (EPOCHS, False)
    assert train("compare", "c").name == whole.name
    assert train("tune", "a", giving_up_after(2)).name == whole.name


def test_two_sweeps_at_once_is_what_the_user_can_put_right(train, monkeypatch):
    train("compare", "a")
    monkeypatch.setattr(RunFolder, "is_owned", True)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RunInUse, match="wait for it, or stop it") as error:
        train("compare", "a")
    assert error.value.exit_status == 2
    assert signal.getsignal(signal.SIGTERM) is handler


def draw(file, grey):
    """A picture that differs from others by its bytes, and not by their number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (2, 2), grey).save(file)


def test_pictures_that_were_replaced_in_their_folder_are_trained_on_again(train, tmp_path):
    for number in range(20):
        draw(tmp_path / "own" / f"class{number % 2}" / f"{number}.bmp", number)
    data = str(tmp_path / "own")
    first = train("compare", "a", data=data)
    assert train("compare", "b", data=data).name == first.name
    draw(tmp_path / "own" / "class0" / "0.bmp", 255)
    assert not train("compare", "c", data=data).reused


def test_a_table_replaced_by_an_older_one_is_trained_on_again_and_the_first_is_known_when_it_is_back(train, tmp_path):
    file = tmp_path / "own.csv"

    def write(power, time):
        file.write_text("a,b,kind\n" + "".join(f"{row**power},{row % 3},{row % 2}\n" for row in range(20)))
        os.utime(file, (time, time))

    write(1, 2000)
    first = train("compare", "a", data=str(file))
    write(2, 1000)
    assert not train("compare", "b", data=str(file)).reused
    write(1, 3000)
    assert train("compare", "c", data=str(file)).name == first.name


def test_what_another_version_of_a_plugin_trained_is_trained_again(train, monkeypatch):
    found, real = {"my-net": "1.0"}, importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: found.get(name) or real(name))
    monkeypatch.setattr(provenance, "plugins", lambda spec: ["my-net"])
    first = train("compare", "a")
    assert train("compare", "b").name == first.name
    found["my-net"] = "1.1"
    assert not train("compare", "c").reused
