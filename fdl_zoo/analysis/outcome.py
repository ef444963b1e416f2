"""What a model answered on a split: probabilities, mistakes and numbers per class (chapter 2, evaluation)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


def probabilities(outputs: np.ndarray, task: str) -> np.ndarray:
    """A model's outputs as its users see them: softmax over the last axis, sigmoid, or the values as they are.

    Args:
        outputs: Logits or values [..., outputs].
        task: `classification`, `binary` or another.

    Returns:
        Float64 of the same shape.
    """
    from scipy.special import expit, softmax

    outputs = np.asarray(outputs, np.float64)
    if task == "classification":
        return softmax(outputs, axis=-1)
    return expit(outputs) if task == "binary" else outputs


def class_labels(names: tuple[str, ...], count: int) -> list[str]:
    """A label per class: its name, or its number where it has none."""
    return list(names) if len(names) == count else [str(index) for index in range(count)]


@dataclass(frozen=True)
class Outcome:
    """A model's answers on one split, and what would have been right.

    Sequences count each of their steps as an answer of its own.

    Args:
        task: `classification`, `binary` or `regression`.
        outputs: Logits or values [examples, ..., outputs].
        targets: Class indices [examples, ...], 0 or 1 likewise, or values [examples, ..., outputs].
        class_names: A name per class; empty where there are none.
    """

    task: str
    outputs: np.ndarray
    targets: np.ndarray
    class_names: tuple[str, ...] = ()

    @property
    def is_of_classes(self) -> bool:
        """Whether answers are classes."""
        return self.task in ("classification", "binary")

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return self.outputs.shape[-1] if self.task == "classification" else 2

    @property
    def labels(self) -> list[str]:
        """A label per class."""
        return class_labels(self.class_names, self.num_classes)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Of each class [answers, classes], for two classes too."""
        found = probabilities(self.outputs.reshape(-1, self.outputs.shape[-1]), self.task)
        return np.concatenate([1 - found, found], axis=1) if self.task == "binary" else found

    @cached_property
    def truth(self) -> np.ndarray:
        """The right classes [answers], or values [answers, outputs]."""
        if self.is_of_classes:
            return self.targets.reshape(-1).astype(np.int64)
        return self.targets.reshape(-1, self.outputs.shape[-1]).astype(np.float64)

    @cached_property
    def answers(self) -> np.ndarray:
        """The classes that got the largest probability [answers], or the values [answers, outputs]."""
        if self.is_of_classes:
            return self.probabilities.argmax(axis=1)
        return self.outputs.reshape(-1, self.outputs.shape[-1]).astype(np.float64)

    def confusion(self) -> np.ndarray:
        """How often each class [rows: the truth] was taken for each other [columns: the answer]."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.truth, self.answers, labels=np.arange(self.num_classes))

    def per_class(self) -> list[dict[str, Any]]:
        """A row per class: `class`, `precision`, `recall`, `f1`, `support` (its number of examples).

        Precision of a class that was never answered, and recall of one that never occurs, are 0.
        """
        from sklearn.metrics import precision_recall_fscore_support

        found = precision_recall_fscore_support(
            self.truth, self.answers, labels=np.arange(self.num_classes), zero_division=0
        )
        return [
            {"class": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
            for label, p, r, f, s in zip(self.labels, *found, strict=True)
        ]

    def worst(self, count: int) -> np.ndarray:
        """The wrong answers that gave the truth least probability, worst first [at most `count`]."""
        wrong = np.flatnonzero(self.answers != self.truth)
        right = self.probabilities[wrong, self.truth[wrong]]
        return wrong[np.argsort(right, kind="stable")][:count]
