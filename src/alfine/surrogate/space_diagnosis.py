"""A diagnosis of the search space: the best at the end of a range, hyperparameters without influence, too few combinations.

The findings are shown while the tuning job runs. Symbols: n results, the surrogate's kernel with its length scales l
(gaussian_process.py), on at most MOST of the results.

    L(l_j)   log likelihood of the results with the length scale of hyperparameter j set to l_j; the noise level, the variance and the
             mean are fitted anew each time, so that noise never passes for influence
    T_j      max over l_j of L(l_j) - L(infinity): how much likelier the results are if j has an influence (Wilks 1938)
    A_j      L(infinity) - L(ABSENT): how much likelier they are without an influence than with one of length scale ABSENT, an effect of
             about half the standard deviation of the objective from one end of the range to the other

    at the end    most of the best TOP lie in the outermost ZONE of the axis, the best among them; T_j is at least TOLD; and the surrogate
                  predicts that the same configurations, moved INWARD along this axis only, are worse: by z >= WORSE of its own standard
                  deviations, and by more than a small share of the spread
    no influence  A_j is at least TOLD_ABSENT, and T_j is below NOTHING
    nothing       all hyperparameters together aren't likelier than mere noise

Why not only count points near an end: searches go to the ends of hyperparameters without influence (moves are clipped there), and later
points are better for other reasons, so that the best would seem to lie there. Why not only the length scales: they are point estimates
that a few results can move anywhere. The space is checked at certain numbers of results only, each a quarter more than the one before
(eleven times in a job of 200 training jobs), and a finding is shown when two checks in a row agree. docs/explanation/stopping.md measures
how often a finding is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.conditional_space import Mask
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical
from alfine.core.space import ParameterSpace
from alfine.core.spec import MAX_TRAINING_JOBS
from alfine.core.wording import number, short_text
from alfine.surrogate.chosen_observations import best_and_rest
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import geometry_of, kernel
from alfine.surrogate.model import Model, evidence_of, theta_at
from alfine.surrogate.output_scale import Scale
from alfine.surrogate.parent_evidence import prior
from alfine.surrogate.space_remarks import AT_EDGE, FEW, NO_INFLUENCE, NOTHING_MATTERS, Remark
from alfine.surrogate.threads import one_thread
from alfine.surrogate.wider_space import stretched, wider_integers

REMARKS: MemoKey[list[Remark]] = MemoKey(__name__, "remarks")

FIRST_LOOK = 20
"""Number of results of the first check."""

GROWTH = 1.25
"""Factor of the number of results from one check to the next."""

A_DIMENSION = 5
"""Results per hyperparameter that are needed before anything is said about influence."""

MOST = 80
"""Largest number of results that likelihoods rest on: each costs O(n^3)."""

TOP = 5
"""Number of best results that are looked at; a twentieth of all results where that is more."""

MOST_OF = 0.6
"""Share of them that must lie at the end of a range."""

ZONE = 0.05
"""Width of an end of a range, as a share of the axis; of an integer range at least its outermost value."""

LEAST_CELLS = 4
"""Least number of values of a range whose ends mean anything."""

INWARD = 0.25
"""Place to which a configuration at an end is moved, as a share of the axis."""

WORSE = 3.0
"""Least number of standard deviations by which the moved configurations must be worse."""

WORSE_SHARE = 0.02
"""Least share of the spread S by which they must be worse."""

TOLD = 6.0
"""Least T_j of a finding «at the end»."""

TOLD_ABSENT = 3.0
"""Least A_j of a finding «no influence»."""

NOTHING = 1.0
"""Log likelihood ratio below which an influence isn't visible."""

LENGTHS = (0.5, 1.5)
"""Length scales that T_j is computed at, in addition to the fitted one, in cube edges."""

ABSENT = LENGTHS[-1]
"""Length scale of an influence that would be visible, in cube edges."""

NOISE_LEVELS = 10.0 ** np.arange(-5.0, 3.01, 0.5)
"""Noise variances that are tried, over the kernel's mean variance."""

USED_UP = 0.5
"""Share of a finite space from which on it counts as nearly used up."""


def remarks(history: History) -> tuple[Remark, ...]:
    """Return the findings about the search space of a tuning job, for each of its training job definitions.

    Args:
        history: The tuning job.
    """
    findings: list[Remark] = []
    for spec in history.spec.definition_specs:
        name = spec.definition.name if history.spec.parts else None
        findings += _of_one(history.of(name), name)
    return tuple(findings)


def _of_one(history: History, definition: str | None) -> list[Remark]:
    """Return the findings of the latest check that the check before it agrees with, and whether there are too few combinations."""
    few = [*_few(history, definition)]
    checks = rungs(len(evidence_of(history)[1]))
    if len(checks) < 2 or history.spec.space.dimension == 0:
        return few
    latest = _at(history, definition, checks[-1])
    before = (
        {(remark.kind, remark.hyperparameter) for remark in _at(history, definition, checks[-2])} if latest else set()
    )
    return [*(remark for remark in latest if (remark.kind, remark.hyperparameter) in before), *few]


def rungs(n: int) -> list[int]:
    """Return the numbers of results, up to n, at which the space is checked."""
    numbers, rung = [], float(FIRST_LOOK)
    while round(rung) <= n:
        numbers.append(round(rung))
        rung *= GROWTH
    return numbers


def _at(history: History, definition: str | None, n: int) -> list[Remark]:
    """Return the findings after the first n results."""
    return history.remembered(REMARKS.of(n, len(prior(history)[1])), lambda: [*_watched(history, definition, n)])


def _watched(history: History, definition: str | None, n: int) -> Iterator[Remark]:
    X, v = (part[:n] for part in evidence_of(history))
    if np.ptp(v) == 0.0:
        sentence = (
            f"All {n} objectives are equal, {number(v[0] * history.sign)}: does training use its hyperparameters?"
        )
        yield Remark(kind=NOTHING_MATTERS, sentence=sentence, after=n, definition=definition)
        return
    try:
        with one_thread(), np.errstate(all="ignore"):
            look = _Look.at(history, X, v)
            if look is None:
                return
            yield from (replace(remark, definition=definition) for remark in look.findings())
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return  # numerical failure: this check finds nothing, the next one comes with a quarter more results


# -- what results say ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """One check of the space, at one number of results.

    Attributes:
        history: The tuning job, or one of its definitions.
        X: (n, d) points.
        v: (n,) objectives, minimised.
        active: (n, d) which hyperparameters each configuration has.
        theta: The surrogate's parameters.
        model: The surrogate.
        D: (d, m m) squared differences of m chosen results in each coordinate.
        y: (m,) their targets.
        whole: Log likelihood with all hyperparameters.
        noise: Log likelihood of mere noise.
    """

    history: History
    X: Array
    v: Array
    active: Mask
    theta: Array
    model: Model
    D: Array
    y: Array
    whole: float
    noise: float

    @classmethod
    def at(cls, history: History, X: Array, v: Array) -> _Look | None:
        geometry, n = geometry_of(history.spec.space), len(v)
        theta, scale = theta_at(history, n), Scale.of(v)
        spread = np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(int))  # chosen regardless of their values
        y = scale.targets(v[spread])
        if not y.std() > 0:
            return None
        D = geometry.differences(geometry.warp(X[spread], theta))
        chosen = best_and_rest(v, 2 * MOST)
        model = Model(Surrogate.of(geometry, theta, X[chosen], scale.targets(v[chosen])), scale, chosen)
        whole = likelihood(theta, np.exp(-2.0 * theta[: len(D)]) @ D, y)
        noise = -0.5 * len(y) * math.log(float(y.var()))
        return cls(history, X, v, history.spec.space.active(X), theta, model, D, y, whole, noise)

    @property
    def space(self) -> ParameterSpace:
        return self.history.spec.space

    def findings(self) -> Iterator[Remark]:
        """Yield what this check finds."""
        n, d = self.X.shape
        if n >= max(2 * FIRST_LOOK, A_DIMENSION * d) and self.whole - self.noise < NOTHING:
            sentence = (
                f"After {n} results no hyperparameter has a visible influence on the objective: the ranges may be too narrow, "
                "the noise too strong, or the training program doesn't use the hyperparameters."
            )
            evidence = {"log_likelihood_ratio": self.whole - self.noise}
            yield Remark(kind=NOTHING_MATTERS, sentence=sentence, after=n, evidence=evidence)
            return
        for j, name in enumerate(self.space.names):
            for side in (0.0, 1.0):
                yield from self._at_edge(j, name, side)
        for j, name in enumerate(self.space.names):
            if self.active[:, j].sum() >= max(2 * FIRST_LOOK, A_DIMENSION * d):
                T, A = self.influence(j)
                if T < NOTHING and A >= TOLD_ABSENT:
                    yield self._absent(name, A)

    def influence(self, j: int) -> tuple[float, float]:
        """Return T_j and A_j of hyperparameter j."""
        w = np.exp(-2.0 * self.theta[: len(self.D)])
        rest = np.delete(w, j) @ np.delete(self.D, j, axis=0)
        without = likelihood(self.theta, rest, self.y) if len(w) > 1 else self.noise
        without = max(without, self.noise)
        lengths = (math.exp(float(self.theta[j])), *LENGTHS, ABSENT)
        with_it = [likelihood(self.theta, rest + self.D[j] / length**2, self.y) for length in lengths]
        return max(with_it) - without, without - with_it[-1]

    # -- an end of a range -------------------------------------------------------------------------------------------

    def _at_edge(self, j: int, name: str, side: float) -> Iterator[Remark]:
        """Yield the finding that the best lie at the lower (side 0) or upper (side 1) end of a range."""
        range_, on = self.space.ranges[name], np.flatnonzero(self.active[:, j])
        if isinstance(range_, Categorical) or range_.cells < LEAST_CELLS or len(on) < FIRST_LOOK:
            return
        zone = max(ZONE, 0.5 / range_.cells if math.isfinite(range_.cells) else 0.0) + 1e-9
        far = np.abs(self.X[:, j] - side)
        top = on[np.argsort(self.v[on], kind="stable")[: max(TOP, len(on) // 20)]]
        inside = top[far[top] <= zone]
        if far[top[0]] > zone or len(inside) < MOST_OF * len(top):
            return
        loss, z = self._moved(inside, j, abs(side - max(INWARD, 2 * zone)))
        if z < WORSE or loss < WORSE_SHARE * self.model.scale.spread or (T := self.influence(j)[0]) < TOLD:
            return
        share = int((far[on] <= zone).sum())
        end = "lower" if side == 0.0 else "upper"
        wider = stretched(range_, upper=side == 1.0)
        value = range_.from_unit(side)
        sentence = (
            f"{len(inside)} of the best {len(top)} lie at the {end} end of {name} ({short_text(range_.to_text(value))}), where {share} of the "
            f"{len(on)} looked at do; "
            + (
                f"a range from {short_text(range_.to_text(wider.low))} to {short_text(range_.to_text(wider.high))} may have better ones."  # type: ignore[attr-defined]
                if wider is not None
                else "unless that is its natural end, a wider range may have better ones."
            )
        )
        evidence: dict[str, float] = {
            "best_at_the_end": len(inside),
            "of_the_best": len(top),
            "all_at_the_end": share,
            "of_all": len(on),
        }
        yield Remark(
            kind=AT_EDGE,
            hyperparameter=name,
            sentence=sentence,
            after=len(self.v),
            evidence={**evidence, "worse_inside_by": loss, "standard_deviations": z, "log_likelihood_ratio": T},
            ranges={} if wider is None else {name: wider},
        )

    def _moved(self, chosen: npt.NDArray[np.intp], j: int, to: float) -> tuple[float, float]:
        """Return how much worse the chosen results would be on average with coordinate j at `to`.

        Returns:
            The difference in objectives, and in standard deviations of the surrogate.
        """
        here = self.X[chosen]
        there = here.copy()
        there[:, j] = to
        surrogate, points = self.model.surrogate, np.concatenate([there, here])
        k = surrogate.cross(points)
        V = k @ surrogate.root.T
        encoded = surrogate.geometry.encode(surrogate.geometry.warp(points, self.theta), self.theta)
        squares = ((encoded[:, None, :] - encoded[None, :, :]) ** 2).sum(2)
        covariance = kernel(self.theta, surrogate.geometry.dimension, squares) - V @ V.T
        weights = np.repeat([1.0, -1.0], len(here)) / len(here)
        mean = float(weights @ (k @ surrogate.alpha))
        sigma = math.sqrt(max(float(weights @ covariance @ weights), 1e-12 * surrogate.prior))
        return mean * self.model.scale.unit, mean / sigma

    # -- no influence ------------------------------------------------------------------------------------------------

    def _absent(self, name: str, A: float) -> Remark:
        """Return the finding that a hyperparameter has no visible influence."""
        best = self.history.incumbent
        fixable = best is not None and name in best.hyperparameters and _stands_alone(self.space, name)
        fixed = {name: best.hyperparameters[name]} if best is not None and fixable and self.space.dimension > 1 else {}
        text = short_text(self.space.ranges[name].to_text(fixed[name])) if fixed else ""
        sentence = f"{name} shows no influence in {int(self.active[:, self.space.names.index(name)].sum())} results" + (
            f"; fixed at {text}, it leaves a smaller space." if fixed else "."
        )
        return Remark(
            kind=NO_INFLUENCE,
            hyperparameter=name,
            sentence=sentence,
            after=len(self.v),
            evidence={"log_likelihood_ratio": A},
            fixed=fixed,
        )


def likelihood(theta: Array, r2: Array, y: Array) -> float:
    """Return the log likelihood of y, up to a constant, with the mean, the variance and the noise level that make it largest.

    With K = Q diag(e) Q' it is -(n ln s^2 + sum ln(e_i + noise)) / 2 for every noise level at once.

    Args:
        theta: Parameters of the kernel.
        r2: (n n,) squared distances, in length scales.
        y: (n,) targets.
    """
    n, d = len(y), (len(theta) - 3) // 3
    e, Q = np.linalg.eigh(kernel(theta, d, r2.reshape(n, n)))
    e = np.maximum(e, 0.0)
    shifted = e[None, :] + NOISE_LEVELS[:, None] * e.mean()
    u, z = Q.sum(0), y @ Q
    mean = ((u * z) / shifted).sum(1) / ((u * u) / shifted).sum(1)
    variance = ((z - mean[:, None] * u) ** 2 / shifted).mean(1)
    return float(np.max(-0.5 * (n * np.log(variance) + np.log(shifted).sum(1))))


def _stands_alone(space: ParameterSpace, name: str) -> bool:
    """Return whether no condition and no constraint names the hyperparameter, so that it can be fixed."""
    conditions = [condition for r in space.ranges.values() for condition in r.requires]
    named = {clause.name for combination in (*conditions, *space.forbidden) for clause in combination}
    return name not in named and not space.ranges[name].requires


# -- too few combinations --------------------------------------------------------------------------------------------


def _few(history: History, definition: str | None) -> Iterator[Remark]:
    """Yield the finding that a finite space will be used up before the budget, once half of it is used up."""
    spec, size = history.spec, history.spec.size
    limit = spec.max_training_jobs or MAX_TRAINING_JOBS
    if size is None or spec.strategy == "Grid" or size >= limit:
        return
    tried = len(history.configurations)
    if tried < USED_UP * size or history.ended == 0:
        return
    wider = dict(wider_integers(spec))
    spans = ", ".join(f"{name} from {r.low} to {r.high}" for name, r in wider.items())
    lists = [name for name, r in spec.space.ranges.items() if _numbers(r)]
    of_limit = "" if spec.max_training_jobs is None else f" of {spec.max_training_jobs}"
    sentence = (
        f"{tried} of only {size} combinations have been launched: the space will be used up before the budget{of_limit}. "
        + (
            f"Wider ranges give more: {spans}."
            if wider
            else f"A range of numbers instead of the list of values of {', '.join(lists)} contains all values in between."
            if lists
            else "More values make more combinations."
        )
    )
    yield Remark(
        kind=FEW,
        sentence=sentence,
        after=history.ended,
        definition=definition,
        evidence={"launched": tried, "size": size},
        ranges=wider,
    )


def _numbers(found: Range) -> bool:
    """Return whether the range is a list of at least three numbers."""
    if not isinstance(found, Categorical) or len(found.values) < LEAST_CELLS - 1:
        return False
    try:
        return all(math.isfinite(float(found.to_text(value))) for value in found.values)
    except ValueError:
        return False
