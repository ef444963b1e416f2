"""Metrics by name look at logits: of two classes, at which side of zero the one logit is."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fdl_zoo.errors import InvalidOption
from fdl_zoo.training.losses import make_metrics

LOGITS = np.array([[-2.0], [-0.3], [0.2], [0.4], [3.0], [-1.0]])  # 0.2 and 0.4 are probabilities between 0.5 and 0.62
TRUTH = np.array([0, 1, 1, 0, 1, 0])
SKLEARN = {
    "accuracy": reference.accuracy_score,
    "binary_accuracy": reference.accuracy_score,
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "true_positives": lambda truth, found: (truth & found).sum(),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_of_two_classes_it_is_that_of_the_more_probable_one(name):
    (metric,) = make_metrics("binary", (name,))
    metric.update_state(TRUTH[:, None], LOGITS)
    assert float(metric.result()) == pytest.approx(SKLEARN[name](TRUTH, (LOGITS[:, 0] > 0).astype(int)))


def test_areas_are_those_of_probabilities():
    (metric,) = make_metrics("binary", ("auc",))
    metric.update_state(TRUTH[:, None], LOGITS)
    assert float(metric.result()) == pytest.approx(reference.roc_auc_score(TRUTH, LOGITS[:, 0]), abs=0.01)


@pytest.mark.parametrize(
    ("task", "name"), [("binary", "f1_score"), ("binary", "FBetaScore"), ("regression", "accuracy")]
)
def test_what_would_be_no_such_metric_is_refused(task, name):
    with pytest.raises(InvalidOption, match=f"The metric '{name}' cannot be used for {task}"):
        make_metrics(task, (name,))
