"""alfine.sklearn.AlfineSearchCV against scikit-learn's own checks, and with its estimators."""

import importlib
import pickle
import sys
import warnings
from contextlib import suppress
from inspect import signature
from unittest import SkipTest

import numpy as np
import pytest
from scipy import stats

import alfine
from tests.missing import package

package("sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin, clone  # noqa: E402
from sklearn.datasets import make_classification  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier  # noqa: E402
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

AS_RANDOMIZED = {
    "check_supervised_y_2d": "DataConversionWarning not caught",
    "check_requires_y_none": "Doesn't fail gracefully",
}
"""The checks that scikit-learn expects its RandomizedSearchCV to fail, and why."""

X, Y = make_classification(80, 5, random_state=0)
LINE = {"C": alfine.Continuous(1e-3, 1e3)}


def searching(estimator=None, space=None, **words):
    words = {"n_iter": 8, "cv": 3, "random_state": 0, **words}
    return alfine.sklearn.AlfineSearchCV(estimator or LogisticRegression(), space or LINE, **words)


def test_it_passes_the_checks_that_scikit_learns_own_search_passes():
    search = alfine.sklearn.AlfineSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "expected_failed_checks" in signature(check_estimator).parameters:
            results = check_estimator(search, expected_failed_checks=AS_RANDOMIZED, on_skip=None)
            names = {result["check_name"] for result in results if result["status"] == "passed"}
        else:  # before scikit-learn 1.6
            checks = [*check_estimator(search, generate_only=True)]
            names = {check.func.__name__ for _, check in checks} - set(AS_RANDOMIZED)
            for estimator, check in checks:
                if check.func.__name__ in names:
                    with suppress(SkipTest):  # a check of pandas' tables, where pandas isn't installed
                        check(estimator)
    assert len(names) > 30


def test_it_ends_by_a_criterion_and_says_why():
    search = searching(n_iter=60, criteria="BestObjectiveNotImproving 5").fit(X, Y)
    assert len(search.cv_results_["params"]) < 60
    assert search.completion_.criterion == "BestObjectiveNotImproving"
    assert "in a row without improving" in search.completion_.sentence
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert search.score(X, Y) > 0.7
    again = pickle.loads(pickle.dumps(search))
    assert again.completion_.sentence == search.completion_.sentence
    assert clone(search).fit(X, Y).cv_results_["params"] == search.cv_results_["params"]


def test_every_candidate_counts_without_a_criterion_and_a_finite_space_runs_out():
    assert len(searching(criteria=(), n_iter=6).fit(X, Y).cv_results_["params"]) == 6
    small = searching(space={"C": [0.1, 1, 10], "solver": ["lbfgs"]}, criteria=(), n_iter=50).fit(X, Y)
    assert sorted(params["C"] for params in small.cv_results_["params"]) == [0.1, 1, 10]
    assert len({type(params["C"]) for params in small.cv_results_["params"]}) == 2


def test_a_pipeline_takes_steps_ranges_and_distributions():
    space = {
        "scale": [StandardScaler(), MinMaxScaler(), "passthrough"],
        "model__C": stats.loguniform(1e-3, 1e3),
        "model__l1_ratio": stats.uniform(0, 1),
        "model__max_iter": stats.randint(300, 400),
        "model__tol": stats.beta(2, 2, loc=1e-4, scale=1e-3),
    }
    estimator = make_pipeline(StandardScaler(), LogisticRegression(solver="saga"))
    estimator.steps = [("scale", StandardScaler()), ("model", estimator.steps[1][1])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = searching(estimator, space, criteria=(), n_iter=12).fit(X, Y)
    tried = search.cv_results_["params"]
    assert all(300 <= params["model__max_iter"] <= 399 for params in tried)
    assert all(1e-4 <= params["model__tol"] <= 1.1e-3 for params in tried)
    assert {type(params["scale"]).__name__ for params in tried} >= {"StandardScaler", "str"}
    assert not hasattr(space["scale"][0], "mean_"), "what the caller gave stays as it was"


def test_several_dictionaries_are_alternatives():
    space = [{"C": [0.1, 1.0], "solver": ["liblinear"]}, {"solver": ["lbfgs"]}]
    search = searching(space=space, criteria=()).fit(X, Y)
    tried = [tuple(sorted(params.items())) for params in search.cv_results_["params"]]
    assert len(tried) == len({*tried}) == 3


@pytest.mark.parametrize(("refit", "objective"), [("roc_auc", None), (False, "roc_auc"), ("accuracy", "roc_auc")])
def test_of_several_metrics_one_is_the_objective(refit, objective):
    search = searching(scoring=["accuracy", "roc_auc"], refit=refit, objective=objective, criteria=(), n_iter=4)
    search.fit(X, Y)
    assert search.multimetric_
    assert len(search.cv_results_["mean_test_roc_auc"]) == 4
    with pytest.raises(ValueError, match="objective: None must be the metric .* one of accuracy, roc_auc"):
        searching(scoring=["accuracy", "roc_auc"], refit=False).fit(X, Y)


class Fragile(ClassifierMixin, BaseEstimator):
    """Can't be fitted with a C above its limit."""

    def __init__(self, C=1.0, limit=1.0):  # noqa: N803 - a name of scikit-learn
        self.C, self.limit = C, limit

    def fit(self, x, y):
        if self.limit < self.C:
            raise RuntimeError("C is too large")
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return np.zeros(len(x), dtype=int)


def test_candidates_that_cannot_be_fitted_are_failures_and_the_search_goes_on():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = searching(Fragile(), criteria=(), n_iter=10).fit(X, Y)
        assert search.n_failed_ > 0
        assert len(search.cv_results_["params"]) == 10 - search.n_failed_
        with pytest.raises(ValueError, match="All the 3 fits failed"):
            searching(Fragile(limit=0), criteria=(), n_iter=50).fit(X, Y)
        with pytest.raises(RuntimeError, match="C is too large"):
            searching(Fragile(limit=0), error_score="raise").fit(X, Y)


def test_several_candidates_are_fitted_at_once_where_there_are_more_jobs_than_folds():
    sizes = []

    class Counted(alfine.sklearn.AlfineSearchCV):
        def _run_search(self, evaluate_candidates):
            def counted(candidates):
                sizes.append(len(candidates))
                return evaluate_candidates(candidates)

            super()._run_search(counted)

    from joblib import parallel_backend

    with parallel_backend("threading"):
        Counted(LogisticRegression(), LINE, n_iter=5, cv=2, n_jobs=4, criteria=()).fit(X, Y)
    assert sizes in ([2, 2, 1], [1, 2, 2]), "before scikit-learn 1.5 the folds are known only after the first"


def test_groups_and_sample_weights_are_passed_on():
    groups = np.arange(len(X)) % 4
    search = searching(SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}, cv=GroupKFold(4), criteria=())
    assert search.fit(X, Y, groups=groups, sample_weight=np.ones(len(X))).n_splits_ == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"space": {"C": stats.norm(0, 1)}},
            r"space\['C'\]: the distribution norm has no bounds. Use alfine.Continuous",
        ),
        ({"space": {"C": 3}}, r"space\['C'\]: 3 must be a range of alfine, a list of values, or a distribution"),
        ({"space": {"C": []}}, r"space\['C'\]: the list of values is empty"),
        ({"space": "C"}, "space: 'C' must be a dictionary of parameters"),
        ({"n_iter": 0}, "0 must be a whole number from 1 on"),
        ({"criteria": "Convergence"}, "'Convergence' isn't one. Did you mean"),
        ({"cv": KFold(3, shuffle=True)}, "cv: KFold with random_state=None gives each candidate other folds"),
        ({"cv": ShuffleSplit(3)}, "cv: ShuffleSplit with random_state=None"),
        ({"cv": RepeatedKFold()}, "cv: RepeatedKFold with random_state=None"),
    ],
)
def test_bad_input_gets_a_sentence(words, message):
    with pytest.raises(ValueError, match=message):
        searching(**words).fit(X, Y)


def test_folds_that_shuffle_with_a_seed_are_taken():
    searching(cv=KFold(2, shuffle=True, random_state=0), n_iter=2).fit(X, Y)


def test_scikit_learn_is_imported_by_nobody_who_does_not_use_it(monkeypatch):
    assert "sklearn" not in alfine.__all__
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.delitem(sys.modules, "alfine.integrations.sklearn")
    with pytest.raises(alfine.MissingExtra, match="pip install scikit-learn"):
        importlib.import_module("alfine.integrations.sklearn")
