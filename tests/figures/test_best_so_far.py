"""alfine.figures.best_so_far: what the figures say, whichever way they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alfine import BestObjectiveNotImproving
from alfine.core.facts import Ended, Launched, Started, StopAsked
from alfine.core.history import History
from alfine.core.policy import ENDS
from alfine.core.read_spec import read_spec
from alfine.figures.best_so_far_chart import best_so_far
from alfine.figures.criterion_stops import CriterionStop, stops_of_verdicts
from alfine.figures.plots import Plots
from tests.building import one_job

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(objectives: Sequence[float | None], *, goal: str = "Minimize", metric: str = "rmse") -> History:
    """A tuning job whose training jobs ended one after another; None: failed."""
    request = {
        "HyperParameterTuningJobName": "job",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": goal, "MetricName": metric},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0", "MaxValue": "1"}]},
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": "train.py",
                "MetricDefinitions": [{"Name": metric, "Regex": "rmse=(.*)"}],
            },
        },
    }
    past = History(read_spec(request), START)
    for number, objective in enumerate(objectives, 1):
        at = START + timedelta(seconds=number)
        past.record(Launched(at=at, number=number, name=f"job-{number}", hyperparameters={"eta": number / 1000}))
        past.record(Started(at=at, number=number))
        status = "Failed" if objective is None else "Completed"
        past.record(Ended(at=at, number=number, status=status, objective=objective))
    return past


def figure(histories: dict[str, History]) -> dict[str, Any]:
    """The Vega-Lite specification of the chart."""
    return best_so_far(histories).vega_lite()


def marks(drawn: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [layer for layer in drawn["layer"] if layer["mark"]["type"] == kind]


def ys(layer: dict[str, Any]) -> list[float]:
    return [row["y"] for row in layer["data"]["values"]]


def notes(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    """The labels: two lines each."""
    texts = marks(drawn, "text")
    return [
        {"text": [first["mark"]["text"], second["mark"]["text"]], "align": first["mark"]["align"], **place}
        for first, second in zip(texts[::2], texts[1::2], strict=True)
        for place in first["data"]["values"]
    ]


SHORT, LONG = [9.0, 5.0, 6.0], [9.0, 5.0, 6.0, 4.0, 8.0]


def test_the_line_is_the_best_so_far() -> None:
    (line,) = marks(figure({"a": history(LONG)}), "line")
    assert ys(line) == [9, 5, 5, 4, 4]


def test_the_best_is_the_highest_when_the_goal_is_to_maximize() -> None:
    (line,) = marks(figure({"a": history(LONG, goal="Maximize")}), "line")
    assert ys(line) == [9, 9, 9, 9, 9]


def test_failed_training_jobs_count_and_have_no_dot() -> None:
    drawn = figure({"a": history([None, 5.0, None, 4.0])})
    dots, line = marks(drawn, "point")[0]["data"]["values"], marks(drawn, "line")[0]
    assert [row["x"] for row in dots] == [2, 4]
    assert [(row["x"], row["y"]) for row in line["data"]["values"]] == [(2, 5), (3, 5), (4, 4)]


def test_each_stopping_point_is_labelled_with_its_criterion_and_count() -> None:
    assert {": ".join(note["text"]) for note in notes(figure({"short": history(SHORT), "long": history(LONG)}))} == {
        "short: 3 training jobs, best 5",
        "long: 5 training jobs, best 4",
    }


def test_the_title_says_what_each_earlier_stop_cost() -> None:
    jobs = {"long": history(LONG), "none": history(LONG[:4]), "short": history(SHORT)}
    title = best_so_far(jobs).title
    assert title == "Stopping after 3 of 5 training jobs cost 25 % of the best, nothing after 4"


def test_the_title_of_one_job_says_when_its_best_was_found() -> None:
    assert best_so_far({"a": history(LONG)}).title == "Best of 5 training jobs: 4, reached after 4"


def test_the_worst_training_jobs_dont_rule_the_scale() -> None:
    chart = best_so_far({"a": history([5.0, 4.9, 4.8, 4.7, 4.6, 4.5, 4.4, 1e6])})
    assert chart.view["encoding"]["y"]["scale"]["domain"][1] < 10
    assert "1 worse one lies outside the frame" in chart.notes[0]


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_every_stopping_point_lies_inside_the_frame(goal: str) -> None:
    drawn = figure({"bad": history([50.0] * 3, goal=goal), "good": history([1.0] * 40, goal=goal)})
    low, high = drawn["encoding"]["y"]["scale"]["domain"]
    assert all(low < ys(line)[-1] < high for line in marks(drawn, "line"))


def test_labels_of_jobs_that_stop_together_have_heights_of_their_own() -> None:
    assert len({note["level"] for note in notes(figure({name: history(SHORT) for name in "abc"}))}) == 3


@pytest.mark.parametrize("counts", [(14, 60, 100), (23, 94, 200), (50, 60, 100), (90, 95, 100), (5, 6, 100)])
def test_no_label_is_crossed_by_the_dotted_line_of_another(counts: tuple[int, ...]) -> None:
    drawn = figure({f"BestObjectiveNotImproving {n}": history([5.0] * n) for n in counts})
    low, high = drawn["encoding"]["x"]["scale"]["domain"]
    for note in notes(drawn):
        width = 0.0098 * (high - low) * max(map(len, note["text"]))
        start, end = (note["x"] - width, note["x"]) if note["align"] == "right" else (note["x"], note["x"] + width)
        taller = [other for other in notes(drawn) if other["x"] != note["x"] and other["level"] > note["level"]]
        assert not [other for other in taller if start <= other["x"] <= end]


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
@pytest.mark.parametrize("alone", [True, False])
def test_no_label_covers_a_dot(goal: str, alone: bool) -> None:  # noqa: FBT001
    """Although dots lie at the height where labels stand by default, and wherever else there is no room for them."""
    objectives = [9.0, 5.0, 6.0, *(5.2 + 0.9 * math.sin(99 * number) for number in range(45))]
    signed = [-value if goal == "Maximize" else value for value in objectives]
    stops = [CriterionStop(criterion=f"BestObjectiveNotImproving {after}", after=after) for after in (4, 9, 20, 47)]
    jobs = {stop.criterion: history(signed[: stop.after], goal=goal) for stop in stops}
    chart = best_so_far({"": history(signed, goal=goal)}, stops=stops) if alone else best_so_far(jobs)
    drawn = chart.vega_lite()
    (left, right), (low, high) = (drawn["encoding"][axis]["scale"]["domain"] for axis in "xy")
    dots = [(row["x"], row["y"]) for row in marks(drawn, "point")[0]["data"]["values"]]
    assert len(dots) > 30
    for label in marks(drawn, "text"):
        (row,), mark = label["data"]["values"], label["mark"]
        level = row["level"] - mark.get("dy", 0) / 340 * (high - low)
        across = mark["dx"] + (6 if alone else 6.2) * len(mark["text"]) * (1 if mark["align"] == "left" else -1)
        ends = sorted((row["x"] + pixels / 760 * (right - left)) for pixels in (mark["dx"], across))
        covered = [(x, y) for x, y in dots if ends[0] <= x <= ends[1] and abs(y - level) < 6 / 340 * (high - low)]
        assert covered == [], mark["text"]


def test_a_dot_names_the_hyperparameters() -> None:
    dots = marks(figure({"a": history(LONG)}), "point")[0]
    field = next(each["field"] for each in dots["encoding"]["tooltip"] if each["title"] == "eta")
    assert dots["data"]["values"][1][field] == "0.002"


def test_labels_and_metrics_are_shown_as_text() -> None:
    chart = best_so_far({"<b>x</b>": history(SHORT, metric="a<b")})
    assert "&lt;b&gt;x&lt;/b&gt;" in chart.svg()
    assert "a&lt;b (lower is better)" in chart.svg()


@pytest.mark.parametrize("jobs", [{}, {"a": []}, {"a": [None]}])
def test_without_an_objective_there_is_a_figure_that_says_so(jobs: dict[str, list[None]], tmp_path: Path) -> None:
    chart = best_so_far({label: history(objectives) for label, objectives in jobs.items()})
    assert "No training job has an objective yet." in chart.svg()
    chart.save(tmp_path / "empty.png")
    assert (tmp_path / "empty.png").read_bytes()[:4] == b"\x89PNG"


def test_where_criteria_end_the_job_is_marked_with_what_they_miss() -> None:
    stops = [CriterionStop(criterion="A", after=3, missed=1.0), CriterionStop(criterion="B", after=4, missed=0.0)]
    chart = best_so_far({"": history(LONG)}, stops=stops)
    drawn = chart.vega_lite()
    assert [text["mark"]["text"] for text in marks(drawn, "text")] == ["A: 3, 25 % worse", "B: 4, nothing missed"]
    assert ("25 % worse" in chart.svg(width=800), "25 % worse" in chart.svg(width=350)) == (True, False)  # no room
    assert ">A: 3<" in chart.svg(width=350)


def test_what_they_miss_is_in_units_of_the_objective_where_the_best_is_near_0() -> None:
    stops = [CriterionStop(criterion="A", after=3, missed=1.0)]
    chart = best_so_far({"": history([objective - 4.0 for objective in LONG])}, stops=stops)
    assert (chart.title, "A: 3, 1 worse" in chart.svg()) == ("Stopping after 3 of 5 training jobs costs 1", True)


def test_a_stop_is_marked_where_the_job_ends_with_those_that_ran_then_live_and_replayed() -> None:
    """4 had ended when the criterion asked for the end, and 1 ran: the job takes 5, as its page and a replay say."""
    past = history([3.0, 4.0, 5.0])
    criterion = BestObjectiveNotImproving(3)
    for number in (4, 5):
        past.record(Launched(at=past.now, number=number, name=f"job-{number}", hyperparameters={"eta": number / 1000}))
        past.record(Started(at=past.now, number=number))
    past.record(Ended(at=past.now, number=4, status="Completed", objective=6.0))
    verdict = criterion.check(past)
    past.record(StopAsked(at=past.now, number=5, reason=f"{ENDS}: {verdict.sentence}"))
    past.record(Ended(at=past.now, number=5, status="Stopped", objective=None))
    (own,) = stops_of_verdicts(verdict.as_dict(), [], past)
    (replayed,) = Plots(past).stops([criterion])
    assert own.after == replayed.after == past.searched == 5


def test_the_forecast_has_room_and_a_likely_end() -> None:
    ahead = {"Low": 2.0, "Middle": 4.0, "High": 9.0}
    forecast = {"Remaining": 10, "TrainingJobs": ahead, "Gain": {"Low": 0.0, "Middle": 1.0, "High": 2.0}}
    drawn = best_so_far({"": history(LONG)}, forecast=forecast).vega_lite()
    assert drawn["encoding"]["x"]["scale"]["domain"][1] >= 14
    assert drawn["encoding"]["y"]["scale"]["domain"][0] <= 3
    assert [text["mark"]["text"] for text in marks(drawn, "text")] == ["likely end"]


def test_a_best_training_job_that_was_stopped_lies_inside_the_frame() -> None:
    past = history([5.0, 4.0, 3.5, 3.0, 3.2, 3.1])
    for fact in one_job(past, 1.0, status="Stopped"):
        past.record(fact)
    low, high = best_so_far({"": past}).vega_lite()["encoding"]["y"]["scale"]["domain"]
    assert low < 1.0 < high
