"""Which children of earlier commands a sweep takes, and which it trains again; no process is started."""

import pytest

from fdl_zoo.comparison import parent
from fdl_zoo.comparison.parent import Sweep
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training import provenance

EPOCHS = 4


class Trainer:
    """In place of `Pool`: a child's loss is its epoch's number, and the judge may give it up."""

    def __init__(self, jobs, log):
        pass

    def run(self, job, *, started, judge):
        facts = {"sweep": job["sweep"], "versions": provenance.versions()}
        folder = RunFolder.create(job["name"], spec=resolved().spec.to_yaml(), facts=facts, root=job["root"])
        for epoch in range(1, EPOCHS + 1):
            folder.append_history({"epoch": epoch, "step": epoch, "seconds": 1.0, "metrics": {"val_loss": epoch}})
            if judge and not judge(epoch, {"val_loss": epoch}):
                folder.update_facts(sweep={**job["sweep"], "pruned": epoch})
                break
        folder.finish("FINISHED")
        return {"status": "FINISHED", "reason": "", "name": folder.name}

    def close(self):
        pass


def resolved():
    values = {"epochs": EPOCHS, "tracking": {"enabled": False}}
    return resolve(make_layers("logistic_regression", values=values))


@pytest.fixture
def train(monkeypatch, tmp_path):
    monkeypatch.setattr(parent, "Pool", Trainer)

    def child(kind, digest, judge=None):
        with Sweep(kind, resolved(), digest, {}, jobs=1, root=tmp_path, say=lambda text: None) as sweep:
            return sweep.train(resolved(), "adam", judge=judge)

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
