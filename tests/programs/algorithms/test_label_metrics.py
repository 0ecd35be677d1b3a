"""The metrics of classes and values are scikit-learn's."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics

from alfine.programs.algorithms import label_metrics as ours
from tests.missing import package

SCORES = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}
TWO = [([0, 1, 1, 0, 1], [0, 1, 0, 1, 1]), ([0, 0, 1], [0, 0, 0]), ([0, 0], [1, 1]), ([0, 0], [0, 0]), ([1, 1], [1, 1])]
MANY = [([0, 1, 2, 2], [0, 2, 2, 1]), ([0, 1, 3], [5, 1, 5]), ([2, 2], [0, 1]), *TWO]


@pytest.mark.parametrize(("labels", "classes"), [*MANY, np.random.default_rng(1).integers(0, 5, (2, 200)).tolist()])
def test_metrics_of_classes(labels, classes):
    labels, classes = np.array(labels, float), np.array(classes, float)
    assert ours.accuracy(labels, classes) == pytest.approx(metrics.accuracy_score(labels, classes))
    recalls = metrics.recall_score(labels, classes, average=None, labels=np.unique(labels), zero_division=0)
    assert ours.balanced_accuracy(labels, classes) == pytest.approx(recalls.mean())
    for name, score in SCORES.items():
        for kind, average in ((ours.macro, "macro"), (ours.micro, "micro")):
            expected = score(labels, classes, average=average, zero_division=0)
            assert kind(getattr(ours, name))(labels, classes) == pytest.approx(expected), (name, average)


@pytest.mark.parametrize(("labels", "classes"), TWO)
def test_metrics_of_two_classes(labels, classes):
    for name, score in SCORES.items():
        expected = score(labels, classes, labels=[1], average="macro", zero_division=0)
        assert ours.of_two(getattr(ours, name))(labels, classes) == pytest.approx(expected), name


def test_metrics_of_two_classes_refuse_more():
    with pytest.raises(ValueError, match="one of two classes, and there are 3"):
        ours.of_two(ours.f1)([0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("labels", [[1.0, 2.0, 4.0], [3.0, 3.0, 3.0]])
@pytest.mark.parametrize("values", [[1.5, 2.0, 3.0], [3.0, 3.0, 3.0]])
def test_metrics_of_values(labels, values):
    assert ours.mse(labels, np.array(values)) == pytest.approx(metrics.mean_squared_error(labels, values))
    assert ours.r2(labels, np.array(values)) == pytest.approx(metrics.r2_score(labels, values))


def test_xgboost_is_imported_without_scikit_learn():
    package("xgboost")
    code = "import sys\nfrom alfine.programs.algorithms import train_xgboost\nassert 'sklearn' not in sys.modules\nimport sklearn"
    subprocess.run([sys.executable, "-c", code], check=True)
