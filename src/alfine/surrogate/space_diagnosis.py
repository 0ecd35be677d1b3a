"""Is the space right? The best at the end of a range, ranges without influence, too few combinations: said while the job runs.

Symbols: n results, the surrogate's kernel with its length scales l (surrogate/gaussian_process.py), on at most MOST of the results.

    L(l_j)   log likelihood of the results with the length scale of hyperparameter j set to l_j; the level of the noise, the
             variance and the mean are fitted anew each time, so that noise never passes for influence
    T_j      max over l_j of L(l_j) - L(infinity): how much likelier the results are if j has an influence (Wilks 1938)
    A_j      L(infinity) - L(ABSENT): how much likelier they are without one than with one of ABSENT, an effect of about half
             of the standard deviation of the objective from one end of the range to the other

    at the end    most of the best TOP lie in the outermost ZONE of the axis, the best among them; T_j is at least TOLD; and moved
                  INWARD with all else as it is, the surrogate says of the same configurations that they're worse, by z >= WORSE
                  standard deviations of its own and more than a small share of the spread
    no influence  A_j is at least TOLD_ABSENT, and T_j next to nothing
    nothing       not even all hyperparameters together are likelier than mere noise

Why not count points near an end alone: searches go to the ends of what has no influence (moves are clipped there), later points are
better for other reasons, and so the best would seem to lie there. Why not the length scales alone: they are a point estimate, which
a few results move at will. It's looked at rungs of n only, each a quarter above the one before (of a job of 200 eleven times), and told is
what two looks in a row have found. How often that is wrong is measured in docs/explanation/stopping.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.conditional_space import Mask
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.ranges import Array, Categorical, Continuous, Integer, Range
from alfine.core.space import ParameterSpace
from alfine.core.spec import MAX_TRAINING_JOBS, TuningJobSpec
from alfine.surrogate.gaussian_process import Scale, Surrogate, best_and_rest, geometry_of, kernel, one_thread
from alfine.surrogate.model import Model, evidence_of, theta_at
from alfine.surrogate.parent_evidence import prior

REMARKS: MemoKey[list[Remark]] = MemoKey(__name__, "remarks")

FIRST_LOOK, GROWTH = 20, 1.25
A_DIMENSION = 5  # results for each hyperparameter before anything is said of influence
MOST = 80  # results that likelihoods rest on: each costs O(n^3)
TOP, MOST_OF = 5, 0.6  # of the best; a twentieth of all results, where that is more
ZONE = 0.05  # of the axis; of an integer at least its outermost value
LEAST_CELLS = 4  # values below which an end is nothing special
INWARD = 0.25
WORSE, WORSE_SHARE = 3.0, 0.02
TOLD, TOLD_ABSENT, NOTHING = 6.0, 3.0, 1.0
LENGTHS = (0.5, 1.5)
ABSENT = LENGTHS[-1]  # in cube edges
NOISE_LEVELS = 10.0 ** np.arange(-5.0, 3.01, 0.5)  # over the kernel's mean variance
ROUNDING = 0.1  # of how far an end is moved
USED_UP = 0.5  # share of a finite space

AT_EDGE, NO_INFLUENCE, NOTHING_MATTERS, FEW = "AtEdge", "NoInfluence", "NothingMatters", "FewCombinations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about the search space. `after`: how many results it rests on.

    ranges: what the hyperparameter ranges had better be; fixed: hyperparameters that may as well be fixed, at the best's value.
    """

    kind: str
    sentence: str
    after: int
    hyperparameter: str | None = None
    definition: str | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        named = {"HyperParameter": self.hyperparameter, "TrainingJobDefinitionName": self.definition}
        ends = {
            name: {"MinValue": each.to_text(each.low), "MaxValue": each.to_text(each.high)}
            for name, each in self.ranges.items()
            if isinstance(each, Continuous | Integer)
        }
        return {
            "Kind": self.kind,
            **{key: value for key, value in named.items() if value is not None},
            "Sentence": self.sentence,
            "After": self.after,
            "Evidence": dict(self.evidence),
            **({"Ranges": ends} if ends else {}),
            **({"Fixed": dict(self.fixed)} if self.fixed else {}),
        }


def remarks(history: History) -> tuple[Remark, ...]:
    """What there is to say about the space of a tuning job, of each definition where it has several."""
    found: list[Remark] = []
    for spec in history.spec.each:
        name = spec.definition.name if history.spec.parts else None
        found += _of_one(history.of(name), name)
    return tuple(found)


def _of_one(history: History, definition: str | None) -> list[Remark]:
    found = [*_few(history, definition)]
    looks = rungs(len(evidence_of(history)[1]))
    if len(looks) < 2 or history.spec.space.dimension == 0:
        return found
    latest = _at(history, definition, looks[-1])
    before = {(each.kind, each.hyperparameter) for each in _at(history, definition, looks[-2])} if latest else set()
    return [*(each for each in latest if (each.kind, each.hyperparameter) in before), *found]


def rungs(n: int) -> list[int]:
    """The numbers of results up to n at which the space is looked at."""
    found, rung = [], float(FIRST_LOOK)
    while round(rung) <= n:
        found.append(round(rung))
        rung *= GROWTH
    return found


def _at(history: History, definition: str | None, n: int) -> list[Remark]:
    """What there is to say after the first n results."""
    return history.remembered(REMARKS.of(n, len(prior(history)[1])), lambda: [*_watched(history, definition, n)])


def _watched(history: History, definition: str | None, n: int) -> Iterator[Remark]:
    X, v = (part[:n] for part in evidence_of(history))
    if np.ptp(v) == 0.0:
        sentence = f"All {n} objectives are equal, {v[0] * history.sign:.6g}: does training use its hyperparameters?"
        yield Remark(kind=NOTHING_MATTERS, sentence=sentence, after=n, definition=definition)
        return
    try:
        with one_thread(), np.errstate(all="ignore"):
            look = _Look.at(history, X, v)
            if look is None:
                return
            yield from (replace(told, definition=definition) for told in look.told())
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return  # nothing can be said


# -- what results say ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """The results at one rung. X: (n, d), v: (n,) minimised; theta: of the surrogate; D: (d, m m), y: (m,) of the chosen m."""

    history: History
    X: Array
    v: Array
    active: Mask
    theta: Array
    model: Model
    D: Array
    y: Array
    whole: float  # log likelihood as the surrogate has it
    noise: float  # … of mere noise

    @classmethod
    def at(cls, history: History, X: Array, v: Array) -> _Look | None:
        geometry, n = geometry_of(history.spec.space), len(v)
        theta, scale = theta_at(history, n), Scale.of(v)
        spread = np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(int))  # chosen by nothing that they found
        y = scale.targets(v[spread])
        if not y.std() > 0:
            return None
        D = geometry.differences(geometry.warp(X[spread], theta))
        kept = best_and_rest(v, 2 * MOST)
        model = Model(Surrogate.of(geometry, theta, X[kept], scale.targets(v[kept])), scale, kept)
        whole = likelihood(theta, np.exp(-2.0 * theta[: len(D)]) @ D, y)
        noise = -0.5 * len(y) * math.log(float(y.var()))
        return cls(history, X, v, history.spec.space.active(X), theta, model, D, y, whole, noise)

    @property
    def space(self) -> ParameterSpace:
        return self.history.spec.space

    def told(self) -> Iterator[Remark]:
        n, d = self.X.shape
        if n >= max(2 * FIRST_LOOK, A_DIMENSION * d) and self.whole - self.noise < NOTHING:
            sentence = (
                f"After {n} results no influence of any hyperparameter on the objective can be told from chance: the ranges may "
                "be too narrow, the noise too strong, or training doesn't use them."
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
        """T_j and A_j."""
        w = np.exp(-2.0 * self.theta[: len(self.D)])
        rest = np.delete(w, j) @ np.delete(self.D, j, axis=0)
        without = likelihood(self.theta, rest, self.y) if len(w) > 1 else self.noise
        without = max(without, self.noise)
        lengths = (math.exp(float(self.theta[j])), *LENGTHS, ABSENT)
        each = [likelihood(self.theta, rest + self.D[j] / length**2, self.y) for length in lengths]
        return max(each) - without, without - each[-1]

    # -- an end of a range -------------------------------------------------------------------------------------------

    def _at_edge(self, j: int, name: str, side: float) -> Iterator[Remark]:
        found, on = self.space.ranges[name], np.flatnonzero(self.active[:, j])
        if isinstance(found, Categorical) or found.cells < LEAST_CELLS or len(on) < FIRST_LOOK:
            return
        zone = max(ZONE, 0.5 / found.cells if math.isfinite(found.cells) else 0.0) + 1e-9
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
        wider = stretched(found, upper=side == 1.0)
        value = found.from_unit(side)
        sentence = (
            f"{len(inside)} of the best {len(top)} lie at the {end} end of {name} ({found.to_text(value)}), where {share} of the "
            f"{len(on)} looked at do; "
            + (
                f"a range from {found.to_text(wider.low)} to {found.to_text(wider.high)} may have better ones."  # type: ignore[attr-defined]
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
        """How much worse the chosen results would be on average with coordinate j at `to`, in objectives, and by how many sigma."""
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
        best = self.history.incumbent
        fixable = best is not None and name in best.hyperparameters and _stands_alone(self.space, name)
        fixed = {name: best.hyperparameters[name]} if best is not None and fixable and self.space.dimension > 1 else {}
        text = self.space.ranges[name].to_text(fixed[name]) if fixed else ""
        sentence = (
            f"{name} has no influence that shows in {int(self.active[:, self.space.names.index(name)].sum())} results"
            + (f"; fixed at {text}, it leaves a smaller space." if fixed else ".")
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
    """Log likelihood, up to a constant, of y under the kernel of these squared distances; mean, variance and noise at their best.

    With K = Q diag(e) Q' it's -(n ln s^2 + sum ln(e_i + noise)) / 2 for every level of the noise at once.
    """
    n, d = len(y), (len(theta) - 3) // 3
    e, Q = np.linalg.eigh(kernel(theta, d, r2.reshape(n, n)))
    e = np.maximum(e, 0.0)
    shifted = e[None, :] + NOISE_LEVELS[:, None] * e.mean()
    u, z = Q.sum(0), y @ Q
    mean = ((u * z) / shifted).sum(1) / ((u * u) / shifted).sum(1)
    variance = ((z - mean[:, None] * u) ** 2 / shifted).mean(1)
    return float(np.max(-0.5 * (n * np.log(variance) + np.log(shifted).sum(1))))


# -- another space ---------------------------------------------------------------------------------------------------


def stretched(found: Range, *, upper: bool) -> Range | None:
    """The range with one end half its width further out, on its scale; None where 0 or 1 is likely its natural end."""
    if isinstance(found, Categorical) or not isinstance(found, Continuous | Integer):
        return None
    low, high, log = float(found.low), float(found.high), found.effective_scaling
    natural = (low == 0.0, high == 1.0 and low >= 0.0)[upper] if log == "Linear" else False
    if natural or (isinstance(found, Integer) and not upper and found.low in (0, 1)):
        return None
    if log == "Logarithmic":
        end = high * math.sqrt(high / low) if upper else low * math.sqrt(low / high)
    elif log == "ReverseLogarithmic":
        gap, ratio = (1.0 - high, (1.0 - high) / (1.0 - low)) if upper else (1.0 - low, (1.0 - low) / (1.0 - high))
        end = max(0.0, 1.0 - gap * math.sqrt(ratio))
    else:
        end = high + 0.5 * (high - low) if upper else low - 0.5 * (high - low)
        if low >= 0.0 and high <= 1.0:
            end = min(1.0, max(0.0, end))
        elif low > 0.0:
            end = max(end, 0.5 * low)
    if isinstance(found, Integer):
        whole = (
            max(found.high + 1, math.ceil(_plain(end, high)))
            if upper
            else min(found.low - 1, math.floor(_plain(end, low)))
        )
        whole = whole if upper or found.low < 1 else max(1, whole)
        ends = (found.low, whole) if upper else (whole, found.high)
        return Integer(*ends, scaling=found.scaling, requires=found.requires)
    old = high if upper else low
    end = _plain(end, old) if log != "ReverseLogarithmic" else 1.0 - _plain(1.0 - end, 1.0 - old)
    return Continuous(*((low, end) if upper else (end, high)), scaling=found.scaling, requires=found.requires)


def _plain(x: float, old: float) -> float:
    """With few digits, and yet about as far from the old end."""
    rounded = (float(f"{x:.{digits}g}") for digits in range(2, 18))
    return next(each for each in rounded if abs(each - x) <= ROUNDING * abs(x - old))


def _stands_alone(space: ParameterSpace, name: str) -> bool:
    """Whether no condition and no constraint is about it, so that it can be fixed."""
    requires = [each for r in space.ranges.values() for each in r.requires]
    about = {clause.name for combination in (*requires, *space.forbidden) for clause in combination}
    return name not in about and not space.ranges[name].requires


# -- too few combinations --------------------------------------------------------------------------------------------


def _few(history: History, definition: str | None) -> Iterator[Remark]:
    """A finite space that ends before the budget does, once half of it is used up."""
    spec, size = history.spec, history.spec.size
    limit = spec.max_training_jobs or MAX_TRAINING_JOBS
    if size is None or spec.strategy == "Grid" or size >= limit:
        return
    tried = len(history.configurations)
    if tried < USED_UP * size or history.ended == 0:
        return
    wider = dict(_wider_integers(spec))
    spans = ", ".join(f"{name} from {r.low} to {r.high}" for name, r in wider.items())
    lists = [name for name, r in spec.space.ranges.items() if _numbers(r)]
    of_limit = "" if spec.max_training_jobs is None else f" of {spec.max_training_jobs}"
    sentence = (
        f"{tried} of only {size} combinations have been launched: the space ends before the budget{of_limit} does. "
        + (
            f"Wider: {spans}."
            if wider
            else f"A range of numbers instead of the list of values of {', '.join(lists)} has all that lie between."
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


def _wider_integers(spec: TuningJobSpec) -> Iterator[tuple[str, Integer]]:
    bounded = {clause.name for each in spec.space.forbidden for clause in each}  # by more than their ranges
    for name, found in spec.space.ranges.items():
        if isinstance(found, Integer) and name not in bounded:
            low, high = (stretched(found, upper=upper) for upper in (False, True))
            ends = (
                low.low if isinstance(low, Integer) else found.low,
                high.high if isinstance(high, Integer) else found.high,
            )
            yield name, Integer(*ends, scaling=found.scaling, requires=found.requires)


def _numbers(found: Range) -> bool:
    """Whether it's a list of at least three numbers."""
    if not isinstance(found, Categorical) or len(found.values) < LEAST_CELLS - 1:
        return False
    try:
        return all(math.isfinite(float(found.to_text(value))) for value in found.values)
    except ValueError:
        return False


# -- the job that is proposed ----------------------------------------------------------------------------------------


def proposed(found: Sequence[Remark]) -> tuple[dict[str, Range], dict[str, Any]]:
    """All that the remarks propose for a job of one definition: other ranges, and what to fix."""
    ranges: dict[str, Range] = {}
    fixed: dict[str, Any] = {}
    for remark in found:
        if remark.definition is None:
            fixed |= remark.fixed
            for name, each in remark.ranges.items():
                ranges[name] = _both(ranges[name], each) if name in ranges else each
    return {name: each for name, each in ranges.items() if name not in fixed}, fixed


def _both(one: Range, other: Range) -> Range:
    if isinstance(one, Integer) and isinstance(other, Integer):
        return Integer(min(one.low, other.low), max(one.high, other.high), scaling=one.scaling, requires=one.requires)
    if isinstance(one, Continuous) and isinstance(other, Continuous):
        return Continuous(
            min(one.low, other.low), max(one.high, other.high), scaling=one.scaling, requires=one.requires
        )
    return one
