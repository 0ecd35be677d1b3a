"""alfine inside of scikit-learn: a search over parameters that ends by itself.

    search = alfine.sklearn.AlfineSearchCV(SVC(), {"C": loguniform(1e-2, 1e3), "gamma": alfine.Continuous(1e-5, 1)}, n_iter=100)
    search.fit(X, y)
    print(search.best_params_, search.completion_.sentence)

Everything else is as in scikit-learn's own searches: `cv`, `scoring`, `refit`, `n_jobs`, `cv_results_`, pipelines.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import alfine
from alfine.integrations.choices import as_it_is, categories_of

try:
    from joblib import effective_n_jobs
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.utils import check_random_state
except ImportError as error:
    raise alfine.MissingExtra("alfine.sklearn needs scikit-learn: pip install scikit-learn") from error

log = logging.getLogger("alfine.sklearn")

LARGEST_SEED = 2**31 - 1
"""The largest random seed that is drawn from `random_state`."""

FIRST_ATTEMPTS = 5
"""Candidates after which a search ends with the error of the last one, if none of them could be fitted."""

ALL_FAILED = "fits failed"
"""Part of scikit-learn's message when every fit of a call failed."""

WHICH = "which dictionary"
"""The name of the hyperparameter that chooses among several dictionaries."""


class AlfineSearchCV(BaseSearchCV):  # type: ignore[misc]  # scikit-learn isn't type-checked here
    """A search over parameters with cross-validation that finds good ones early, and ends when more candidates aren't worth it.

    The score that counts is the mean over the folds, `mean_test_score`, or, with several metrics, that of `objective`. Folds must be the
    same for every candidate: a splitter that shuffles needs an integer `random_state`.

    Args:
        estimator: The estimator or pipeline.
        space: The parameters to search: a dictionary by name (`"svc__C"` in a pipeline), with ranges of alfine, lists of values, and
            distributions of scipy.stats whose support is bounded; or a list of such dictionaries, of which each candidate has one.
        n_iter: Try at most this many candidates.
        criteria: Completion criteria: the first one that is met ends the search. Objects such as `alfine.ConvergenceDetected()`, or texts.
            Without any, all `n_iter` are tried.
        objective: With several metrics, the name of the one that the search improves; None: that of `refit`.
        scoring: As in scikit-learn, like all that follow.
        n_jobs: The number of parallel jobs. Where there are more jobs than folds, several candidates are fitted at once.
        refit: Whether to fit the best candidate on all data.
        cv: The folds.
        verbose: Above 0, the sentence with which the search ends is printed.
        pre_dispatch: How many fits are dispatched at once.
        random_state: The seed of the search: an integer for the same candidates each time.
        error_score: The score of a fit that fails. A candidate without a finite score counts as a failure.
        return_train_score: Whether `cv_results_` has the training scores.

    Attributes:
        completion_: The verdict that the search ended with: its `sentence`, its `criterion`, its `evidence`.
        n_failed_: The number of candidates that could not be fitted or scored. Those of which every fit failed aren't in `cv_results_`.

    Raises:
        ValueError: In `fit`: the space, the folds, the criteria or `n_iter` can't be understood.

    Example:
        >>> search = alfine.sklearn.AlfineSearchCV(SVC(), {"C": alfine.Continuous(0.01, 1000)}, n_iter=50, random_state=0).fit(X, y)
        >>> search.best_params_, search.completion_.sentence
    """

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_iter: int = 100,
        criteria: Any = "ConvergenceDetected",
        objective: str | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = math.nan,
        return_train_score: bool = False,
    ) -> None:
        self.space = space
        self.n_iter = n_iter
        self.criteria = criteria
        self.objective = objective
        self.random_state = random_state
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Mapping[str, Any]]) -> None:
        """Try candidates until a criterion is met, or `n_iter` of them were tried."""
        _refuse_changing_folds(self.cv)
        space = _Space(self.space)
        tuner = self._tuner(space)
        n_jobs, folds = effective_n_jobs(self.n_jobs), getattr(self, "n_splits_", 0)
        self.n_failed_ = 0
        while jobs := [job for _ in range(_at_once(n_jobs, folds)) if (job := tuner.ask()) is not None]:
            candidates = [space.decoded(job.hyperparameters) for job in jobs]
            results = self._results(evaluate_candidates, candidates, tuner)
            folds = folds or _folds(results)
            scores = self._scores(results, len(candidates))
            for job, score in zip(jobs, scores, strict=True):
                is_finite = math.isfinite(score)
                self.n_failed_ += not is_finite
                tuner.tell(job, **({"value": score} if is_finite else {"failed": "The candidate has no finite score."}))
        self.completion_ = tuner.verdict
        log.info("%s", self.completion_.sentence)
        if self.verbose > 0:
            print(f"{len(tuner.training_jobs)} candidates: {self.completion_.sentence}")  # noqa: T201 - as scikit-learn does

    def _tuner(self, space: _Space) -> alfine.Tuner:
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        size = alfine.Tuner(space.ranges).history.spec.size
        limit = self.n_iter if size is None or not isinstance(self.n_iter, int) else min(self.n_iter, size)
        return alfine.Tuner(
            space.ranges, goal="Maximize", metric="score", criteria=self.criteria, max_training_jobs=limit, seed=seed
        )

    def _results(
        self,
        evaluate_candidates: Callable[[list[dict[str, Any]]], Mapping[str, Any]],
        candidates: list[Any],
        tuner: alfine.Tuner,
    ) -> Mapping[str, Any]:
        """Return the results so far, with these candidates at their end; nothing where every fit failed."""
        try:
            return evaluate_candidates(candidates)
        except ValueError as error:
            were_all_tried = len(tuner.training_jobs) >= FIRST_ATTEMPTS or tuner.verdict.met
            hopeless = tuner.best is None and were_all_tried
            if self.error_score == "raise" or ALL_FAILED not in str(error) or hopeless:
                raise
            log.warning("%s", error)
            return {}

    def _scores(self, results: Mapping[str, Any], count: int) -> Sequence[float]:
        """Return the mean scores of the last candidates; NaN without results."""
        if not results:
            return [math.nan] * count
        return [float(score) for score in results[f"mean_test_{self._objective(results)}"][-count:]]

    def _objective(self, results: Mapping[str, Any]) -> str:
        """Return the metric that the search improves. Raise ValueError where it isn't clear."""
        known = [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]
        wanted = self.objective or (self.refit if isinstance(self.refit, str) else None)
        if wanted is None and len(known) == 1:
            return known[0]
        if wanted not in known:
            message = f"objective: {wanted!r} must be the metric that the search improves, one of {', '.join(known)}."
            raise ValueError(message)
        return wanted


# -- the search space ----------------------------------------------------------------------------------------------------


class _Space:
    """The ranges of alfine for a search space that is written as in scikit-learn.

    Args:
        given: A dictionary, or a list of them.
    """

    def __init__(self, given: Any) -> None:
        several = isinstance(given, Sequence) and not isinstance(given, str)
        dictionaries = list(given) if several else [given]
        if not dictionaries or not all(isinstance(each, Mapping) and each for each in dictionaries):
            message = f"space: {given!r:.100} must be a dictionary of parameters and their values, or a list of such dictionaries."
            raise ValueError(message)
        self._several = len(dictionaries) > 1
        self._parameters: dict[str, tuple[str, Callable[[Any], Any]]] = {}
        self.ranges: dict[str, Any] = {WHICH: alfine.Categorical([*range(len(dictionaries))])} if self._several else {}
        for index, dictionary in enumerate(dictionaries):
            for name, values in dictionary.items():
                key = f"{index}: {name}" if self._several else str(name)
                range_, decode = _range(f"space[{name!r}]", values)
                if self._several and range_.requires:
                    raise ValueError(
                        f"space[{index}][{name!r}]: a condition can't stand in one of several dictionaries."
                    )
                self.ranges[key] = range_.requiring(_which(index)) if self._several else range_
                self._parameters[key] = str(name), decode

    def decoded(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration as the estimator's parameters."""
        chosen = ((self._parameters[key], value) for key, value in hyperparameters.items() if key != WHICH)
        return {name: decode(value) for (name, decode), value in chosen}


def _which(index: int) -> Any:
    return alfine.Categorical([index], requires={WHICH: index}).requires


def _range(path: str, values: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return a range, and what turns one of its values into the parameter's."""
    if isinstance(values, alfine.Continuous | alfine.Integer | alfine.Categorical):
        return values, as_it_is
    if hasattr(values, "rvs"):
        return _of_distribution(path, values)
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        message = (
            f"{path}: {values!r:.100} must be a range of alfine, a list of values, or a distribution of scipy.stats."
        )
        raise ValueError(message)  # noqa: TRY004 - as scikit-learn does
    if len(values) == 0:
        raise ValueError(f"{path}: the list of values is empty.")
    return categories_of(list(values))


def _of_distribution(path: str, frozen: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the range of a frozen distribution of scipy.stats: of well-known ones their values, of any other bounded one its quantiles."""
    low, high = frozen.support() if hasattr(frozen, "support") else (-math.inf, math.inf)
    if not (math.isfinite(low) and math.isfinite(high)):
        name = getattr(getattr(frozen, "dist", None), "name", type(frozen).__name__)
        remedy = "Use alfine.Continuous(low, high), with scaling='Logarithmic' for several orders of magnitude."
        raise ValueError(f"{path}: the distribution {name} has no bounds. {remedy}")
    low, high = float(low), float(high)
    match getattr(frozen.dist, "name", ""):
        case "uniform":
            return alfine.Continuous(low, high, scaling="Linear"), as_it_is
        case "loguniform" | "reciprocal" if not _location(frozen):
            return alfine.Continuous(low, high, scaling="Logarithmic"), as_it_is
        case "randint":
            return alfine.Integer(int(low), int(high), scaling="Linear"), as_it_is
    return alfine.Continuous(0, 1, scaling="Linear"), _Quantile(frozen)


class _Quantile:
    """The value of a distribution at a quantile; a whole number of a discrete one."""

    def __init__(self, frozen: Any) -> None:
        self.frozen = frozen

    def __call__(self, share: float) -> Any:
        value = min(max(self.frozen.ppf(share), self.frozen.support()[0]), self.frozen.support()[1])
        return int(value) if hasattr(self.frozen.dist, "pmf") else float(value)


def _location(frozen: Any) -> float:
    """Return the location of a frozen distribution of two shape parameters."""
    return float(frozen.kwds.get("loc", frozen.args[2] if len(frozen.args) > 2 else 0.0))


def _at_once(n_jobs: int, folds: int) -> int:
    """Return how many candidates keep all jobs busy; one while the number of folds isn't known, before scikit-learn 1.5."""
    return max(1, math.ceil(n_jobs / folds)) if folds else 1


def _folds(results: Mapping[str, Any]) -> int:
    """Return the number of folds that results have."""
    return len({name.partition("_")[0] for name in results if name.startswith("split") and "_test_" in name})


# -- folds ---------------------------------------------------------------------------------------------------------------


def _refuse_changing_folds(splitter: Any) -> None:
    """Raise ValueError for a splitter that would give each candidate other folds, so that scores couldn't be compared."""
    for each in _inside(splitter):
        shuffles = getattr(each, "shuffle", True)
        if shuffles and hasattr(each, "random_state") and not isinstance(each.random_state, int | np.integer):
            message = (
                f"cv: {type(each).__name__} with random_state={each.random_state!r} gives each candidate other folds, so that their scores "
                "can't be compared. Give it an integer as random_state."
            )
            raise ValueError(message)


def _inside(splitter: Any) -> Iterator[Any]:
    yield splitter
    if hasattr(splitter, "cv") and not isinstance(splitter.cv, list | tuple | type):
        yield splitter.cv
