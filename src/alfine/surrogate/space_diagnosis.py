"""A diagnosis of the search space: the best at the end of a range, hyperparameters without influence, too few combinations.

The findings are shown while the tuning job runs. Symbols: n results, the surrogate's kernel with its length scales l
(gaussian_process.py), on at most MOST of the results.

    L(l_j)   log likelihood of the results with the length scale of hyperparameter j set to l_j; the noise level, the variance and the
             mean are fitted anew each time, so that noise never passes for influence
    T_j      max over l_j of L(l_j) - L(infinity): how much likelier the results are if j has an influence (Wilks 1938)
    A_j      L(infinity) - L(ABSENT): how much likelier they are without an influence than with one of length scale ABSENT, an effect of
             about half the standard deviation of the objective from one end of the range to the other

    at the end    the best results pile up at the end of the axis (PILES: either many of them, or the very best); T_j is large enough; the
                  surrogate predicts that the same configurations, moved INWARD along this axis only, are worse: by enough of its own
                  standard deviations, and by more than a small share of the spread S; and that the objective still falls towards the end,
                  by STEEP S over the outermost SLOPE
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.conditional_space import Mask
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.space import ParameterSpace
from alfine.core.spec import MAX_TRAINING_JOBS
from alfine.core.wording import number, short_text
from alfine.surrogate.chosen_observations import best_and_rest
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import geometry_of, kernel
from alfine.surrogate.model import Model, evidence_of, theta_at
from alfine.surrogate.output_scale import Scale
from alfine.surrogate.parent_evidence import prior
from alfine.surrogate.range_ends import PILES, Pile, RangeEnd
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

LEAST_CELLS = 4
"""Least number of values of a range whose ends mean anything."""

INWARD = 0.25
"""Place to which a configuration at an end is moved, as a share of the axis."""

SLOPE = 0.1
"""Width of the part of the axis over which the objective must still fall."""

STEEP = 0.05
"""Least share of the spread S by which the objective must fall over the outermost SLOPE: where it's flat, more of the range gains nothing."""

WORSE_SHARE = 0.02
"""Least share of the spread S by which they must be worse."""

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
            f"The first {n} objectives are all {number(v[0] * history.sign)}: does training use its hyperparameters?"
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
        end = RangeEnd(name, range_, j, side, on, np.abs(self.X[:, j] - side))
        for pile in PILES:
            finding = self._piled(pile, end)
            if finding is not None:
                yield self._edge_remark(end, *finding)
                return

    def _piled(self, pile: Pile, end: RangeEnd) -> tuple[float, dict[str, float]] | None:
        """Return the zone in which the best results pile up at an end, and the evidence; None where they don't, or gain nothing by it."""
        cells, spread = end.range_.cells, self.model.scale.spread
        zone = max(pile.zone, 0.5 / cells if math.isfinite(cells) else 0.0) + 1e-9
        count = max(pile.least, min(pile.most, int(pile.share * len(end.on))), len(end.on) // 20)
        top = end.on[np.argsort(self.v[end.on], kind="stable")[:count]]
        inside = top[end.far[top] <= zone]
        if len(inside) < pile.part * len(top) or (pile.with_best and end.far[top[0]] > zone):
            return None
        loss, z = self._moved(inside, end.j, abs(end.side - max(INWARD, zone)))
        if z < pile.worse or loss < WORSE_SHARE * spread or self._slope(inside, end) < STEEP * spread:
            return None
        if (T := self.influence(end.j)[0]) < pile.told:
            return None
        counts = {"best_at_the_end": len(inside), "of_the_best": len(top)}
        return zone, {**counts, "worse_inside_by": loss, "standard_deviations": z, "log_likelihood_ratio": T}

    def _edge_remark(self, end: RangeEnd, zone: float, evidence: Mapping[str, float]) -> Remark:
        """Return the remark on an end at which the best results pile up."""
        range_, is_upper = end.range_, end.side == 1.0
        share = int((end.far[end.on] <= zone).sum())
        wider, value = stretched(range_, upper=is_upper), short_text(range_.to_text(range_.from_unit(end.side)))
        sentence = (
            f"{evidence['best_at_the_end']} of the best {evidence['of_the_best']} lie at the {'upper' if is_upper else 'lower'} end "
            f"of {end.name} ({value}), as do {share} of all {len(end.on)}; {_proposal(range_, wider)}"
        )
        return Remark(
            kind=AT_EDGE,
            hyperparameter=end.name,
            sentence=sentence,
            after=len(self.v),
            evidence={**evidence, "all_at_the_end": share, "of_all": len(end.on)},
            ranges={} if wider is None else {end.name: wider},
        )

    def _slope(self, chosen: npt.NDArray[np.intp], end: RangeEnd) -> float:
        """Return by how much the objective falls over the outermost SLOPE of an end's axis, for the chosen results on average."""
        surrogate, means = self.model.surrogate, []
        for to in (abs(end.side - SLOPE), end.side):
            points = self.X[chosen].copy()
            points[:, end.j] = to
            means.append(float((surrogate.cross(points) @ surrogate.alpha).mean()))
        return (means[0] - means[1]) * self.model.scale.unit

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


def _proposal(range_: Range, wider: Range | None) -> str:
    """Return what a remark on an end proposes; wider: None where the end may be a natural one."""
    if not isinstance(wider, Continuous | Integer):
        return "unless that is its natural end, a wider range may have better ones."
    low, high = (short_text(range_.to_text(end)) for end in (wider.low, wider.high))
    return f"a range from {low} to {high} may have better ones."


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
