"""Plots: every figure of one tuning job, by name: what `job.plot` offers in Python, and what a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Ended
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, name_of
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import did_you_mean
from alfine.criteria import Given, criteria_of
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.forecast import Forecast
from alfine.criteria.text_format import write
from alfine.figures.best_so_far_chart import best_so_far
from alfine.figures.chart import Chart
from alfine.figures.contour import contour
from alfine.figures.cost_curve import cost_curve
from alfine.figures.criterion_over_time import ValueAfter, over_time
from alfine.figures.criterion_stops import CriterionStop, stops_of_verdicts
from alfine.figures.distribution import distribution
from alfine.figures.importance import importance
from alfine.figures.learning_curves import learning_curves
from alfine.figures.parallel_coordinates import parallel_coordinates
from alfine.figures.slices import slices
from alfine.figures.timeline import timeline
from alfine.figures.training_job_rows import varying
from alfine.jobs.policy_for import replayed
from alfine.surrogate.influence import Influence, influences

NAMES: tuple[str, ...] = (
    *("best", "probability", "importance", "slices", "contour", "parallel_coordinates", "learning_curves"),
    *("timeline", "cost", "distribution"),
)
"""The figures."""

MOST_SAMPLES = 60
"""Times at which a criterion is asked for its figure over time."""


class Plots:
    """The figures of a tuning job. Each method returns a Chart, which a notebook shows and `Chart.save` writes.

    Example:
        >>> job.plot.best().save("best.png")
        >>> job.plot.contour("eta", "depth")
    """

    def __init__(
        self,
        history: History,
        verdict: Verdict | None = None,
        forecast: Forecast | None = None,
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        self._history = history
        self._verdict = verdict
        self._forecast = forecast
        self._verdicts = verdicts

    def __repr__(self) -> str:
        return f"<Plots of {self._history.spec.name}: {', '.join(NAMES)}>"

    def best(self, criteria: Given = ()) -> Chart:
        """Return the best objective so far by number of ended training jobs; of a running job with its forecast.

        Args:
            criteria: Completion criteria whose ends are marked, each alone: the job is replayed for each, which takes seconds.
        """
        stops = [*self._own_stop(), *self.stops(criteria_of(criteria))]
        forecast = None if self._forecast is None else self._forecast.as_dict()
        return best_so_far({"": self._history}, forecast=forecast, stops=stops)

    def probability(self) -> Chart:
        """Return the probability that the rest of the budget improves the best, over time, with ConvergenceDetected's threshold."""
        own = ConvergenceDetected.from_spec(self._history.spec)
        return over_time(
            "probability-of-improvement",
            "Probability of an improvement",
            self._samples(own or ConvergenceDetected()),
            (own or ConvergenceDetected()).delta,
            "The probability is computed from ten objectives on.",
        )

    def importance(self, definition: str | None = None) -> Chart:
        """Return the importance of each hyperparameter, with its uncertainty.

        Args:
            definition: The training job definition, where the job has several; None: the first.

        Raises:
            InvalidSpec: There is no such definition.
        """
        return importance(self._part(definition))

    def slices(self, definition: str | None = None) -> Chart:
        """Return the objective by each hyperparameter, with the surrogate's mean and band.

        Args:
            definition: As for `importance`.
        """
        return slices(self._part(definition))

    def contour(self, first: str | None = None, second: str | None = None, definition: str | None = None) -> Chart:
        """Return the objective that the surrogate expects by two hyperparameters.

        Args:
            first: The hyperparameter of the x-axis; None: the most important one.
            second: The hyperparameter of the y-axis; None: the most important other one.
            definition: As for `importance`.

        Raises:
            InvalidSpec: One of them isn't a hyperparameter of the job.
        """
        part = self._part(definition)
        ranked = [each.name for each in influences(part)] or varying(part.spec)
        chosen = [first, second]
        for i, name in enumerate(chosen):
            if name is None:
                chosen[i] = next((each for each in ranked if each not in chosen), None)
        if None in chosen:
            return Chart(
                name="contour", title="Contour", empty="A contour needs two hyperparameters; this job has one."
            )
        return contour(part, str(chosen[0]), str(chosen[1]))

    def parallel_coordinates(self, definition: str | None = None) -> Chart:
        """Return all configurations as lines across the hyperparameters.

        Args:
            definition: As for `importance`.
        """
        return parallel_coordinates(self._part(definition))

    def learning_curves(self) -> Chart:
        """Return the learning curves of all training jobs, with early stops."""
        return learning_curves(self._history)

    def timeline(self) -> Chart:
        """Return when each training job ran, by slot, with what it waited for its start."""
        return timeline(self._history)

    def cost(self) -> Chart:
        """Return the best objective so far by cost: money where the job has a price, else training time."""
        return cost_curve(self._history)

    def distribution(self) -> Chart:
        """Return the share of training jobs that reach each objective."""
        return distribution({"": self._history})

    def all(self, criteria: Given = ()) -> Iterator[Chart]:
        """Yield every figure, those of the surrogate for each definition.

        Args:
            criteria: As for `best`.
        """
        yield self.best(criteria)
        yield self.probability()
        for name in self._definitions():
            yield self.importance(name)
            yield self.slices(name)
            yield self.contour(definition=name)
            yield self.parallel_coordinates(name)
        yield self.learning_curves()
        yield self.timeline()
        yield self.cost()
        yield self.distribution()

    def influences(self, definition: str | None = None) -> tuple[Influence, ...]:
        """Return the numbers of `importance`.

        Args:
            definition: As for `importance`.
        """
        return influences(self._part(definition))

    def stops(self, criteria: Sequence[CompletionCriterion]) -> Iterator[CriterionStop]:
        """Yield where each criterion alone would have ended the job; nothing for one that wouldn't have."""
        for criterion in criteria:
            end = replayed(self._history, [criterion])
            if end.verdict.outlook is not Outlook.CONTINUE and end.verdict.criterion == name_of(criterion):
                yield CriterionStop(criterion=write(criterion), after=end.training_jobs, missed=end.missed)

    # -- underneath ----------------------------------------------------------------------------------------------

    def _own_stop(self) -> Iterator[CriterionStop]:
        """Yield where the job ended, and where criteria that only observe it would have ended it."""
        history = self._history if self._forecast is None else None
        own = {} if self._verdict is None else self._verdict.as_dict()
        yield from stops_of_verdicts(own, [verdict.as_dict() for verdict in self._verdicts], history)

    def _definitions(self) -> list[str | None]:
        return [
            spec.definition.name if self._history.spec.parts else None for spec in self._history.spec.definition_specs
        ]

    def _part(self, definition: str | None) -> History:
        names = self._definitions()
        if definition is None:
            return self._history.of(names[0])
        if definition not in names:
            known = [name for name in names if name]
            raise InvalidSpec([Fault("definition", f"{definition!r} isn't one. {did_you_mean(definition, known)}")])
        return self._history.of(definition)

    def _samples(self, criterion: ConvergenceDetected) -> list[ValueAfter]:
        """Return what the criterion knew in the course of the job, at most `MOST_SAMPLES` times."""
        every = max(1, -(-self._history.ended // MOST_SAMPLES))
        samples = []
        for fact, past in self._history.replayed():
            if isinstance(fact, Ended) and (past.ended % every == 0 or past.ended == self._history.ended):
                p = criterion.check(past).evidence.get("probability_of_improvement")
                if p is not None:
                    samples.append(ValueAfter(after=past.ended, value=float(p)))
        return samples
