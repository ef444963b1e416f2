"""Answers on a split: probabilities, tables and mistakes against counts made by hand, and figures that show them."""

import csv
import io

import numpy as np
import pytest

from fdl_zoo.analysis.outcome import Outcome
from fdl_zoo.analysis.report import figures, per_class_csv

#                 cat  dog  eel
LOGITS = np.array([[3.0, 0, 0], [0, 1, 0], [2, 0, 0], [0, 5, 0], [0, 0, 1], [0, 4, 0]])
TRUTH = np.array([0, 1, 1, 0, 2, 1])
ANIMALS = Outcome("classification", LOGITS, TRUTH, ("cat", "dog", "eel"))


def test_probabilities_are_those_of_the_formula():
    expected = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ANIMALS.probabilities, expected, rtol=1e-12)
    binary = Outcome("binary", np.array([[0.0], [2.0]]), np.array([0, 1]))
    np.testing.assert_allclose(binary.probabilities[:, 1], [0.5, 1 / (1 + np.exp(-2))])
    np.testing.assert_allclose(binary.probabilities.sum(axis=1), 1)


def test_confusion_and_table_are_what_counting_gives():
    np.testing.assert_array_equal(ANIMALS.confusion(), [[1, 1, 0], [1, 2, 0], [0, 0, 1]])
    cat, dog, eel = ANIMALS.per_class()
    assert (cat["class"], cat["precision"], cat["recall"], cat["support"]) == ("cat", 1 / 2, 1 / 2, 2)
    assert (dog["precision"], dog["recall"], dog["f1"], dog["support"]) == (2 / 3, 2 / 3, pytest.approx(2 / 3), 3)
    assert (eel["precision"], eel["recall"], eel["support"]) == (1, 1, 1)


def test_a_class_that_never_occurs_is_in_the_table():
    outcome = Outcome("classification", LOGITS[:2], TRUTH[:2])
    assert [row["class"] for row in outcome.per_class()] == ["0", "1", "2"]
    assert outcome.per_class()[2] == {"class": "2", "precision": 0, "recall": 0, "f1": 0, "support": 0}


def test_mistakes_come_worst_first_and_right_answers_never():
    assert ANIMALS.worst(10).tolist() == [3, 2]
    assert ANIMALS.worst(1).tolist() == [3]


def test_each_step_of_a_sequence_is_an_answer():
    outcome = Outcome("classification", LOGITS.reshape(2, 3, 3), TRUTH.reshape(2, 3))
    np.testing.assert_array_equal(outcome.confusion(), ANIMALS.confusion())
    assert [name for name, _ in figures(outcome, "", lambda rows: np.zeros((1, 4, 4, 1)))] == ["confusion_matrix.png"]


def test_figures_of_classes_show_counts_classes_and_mistakes():
    asked = []

    def images(rows):
        asked.append(rows.tolist())
        return np.random.default_rng(0).random((len(rows), 4, 4, 3))

    drawn = dict(figures(ANIMALS, "mlp on animals", images))
    assert drawn.keys() == {"confusion_matrix.png", "worst_mistakes.png"}
    axes = drawn["confusion_matrix.png"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth")
    assert [each.get_text() for each in axes.get_yticklabels()] == ["cat", "dog", "eel"]
    assert [each.get_text() for each in axes.texts] == ["1", "1", "1", "2", "1"]
    assert asked[-1] == [3, 2]
    sheet = drawn["worst_mistakes.png"]
    assert [each.get_text() for each in sheet.axes[0].texts] == ["dog (99%)\ntruth cat", "cat (79%)\ntruth dog"]
    assert sheet.get_supxlabel() == "mlp on animals: 2 of 6 wrong"


def test_figures_of_a_model_without_mistakes_and_of_rows():
    right = Outcome("classification", np.eye(3) * 9, np.arange(3))
    drawn = dict(figures(right, "t", lambda rows: np.zeros((len(rows), 4, 4, 1))))
    assert drawn["worst_mistakes.png"].get_supxlabel() == "t: 0 of 3 wrong"
    assert [name for name, _ in figures(right, "t", lambda rows: np.zeros((len(rows), 4)))] == ["confusion_matrix.png"]


@pytest.mark.parametrize("count", [10, 5000])
def test_regression_is_shown_against_the_truth(count):
    truth = np.random.default_rng(0).normal(size=(count, 2))
    outcome = Outcome("regression", truth + 0.5, truth)
    ((name, figure),) = figures(outcome, "t", lambda rows: rows)
    assert name == "predicted_and_true.png"
    panels = [axes for axes in figure.axes if axes.get_ylabel() == "predicted value"]
    assert len(panels) == 2
    assert panels[0].get_title() == "mean absolute error 0.5"
    figure.savefig(io.BytesIO())


def test_table_of_classes_as_csv():
    rows = list(csv.DictReader(io.StringIO(per_class_csv(ANIMALS))))
    assert rows[1] == {"class": "dog", "precision": "0.6667", "recall": "0.6667", "f1": "0.6667", "support": "3"}
