"""alfine.figures.best_so_far: what the figures say, whichever way they are drawn."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alfine.core.errors import MissingExtra
from alfine.core.facts import Ended, Launched, Started
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.figures.best_so_far_plots import figure, save_html, save_png

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


def lines(drawn: Any) -> list[Any]:
    return [trace for trace in drawn.data if trace.mode == "lines"]


def ends(drawn: Any) -> list[str]:
    return [re.sub("<[^>]*>", "", note.text.replace("<br>", ": ")) for note in drawn.layout.annotations]


SHORT, LONG = [9.0, 5.0, 6.0], [9.0, 5.0, 6.0, 4.0, 8.0]


def test_the_line_is_the_best_so_far() -> None:
    (line,) = lines(figure({"a": history(LONG)}))
    assert list(line.y) == [9, 5, 5, 4, 4]


def test_the_best_is_the_highest_when_the_goal_is_to_maximize() -> None:
    (line,) = lines(figure({"a": history(LONG, goal="Maximize")}))
    assert list(line.y) == [9, 9, 9, 9, 9]


def test_failed_training_jobs_count_and_have_no_dot() -> None:
    dots, line = figure({"a": history([None, 5.0, None, 4.0])}).data[:2]
    assert (list(dots.x), list(line.x), list(line.y)) == ([2, 4], [2, 3, 4], [5, 5, 4])


def test_each_stopping_point_is_labelled_with_its_criterion_and_count() -> None:
    assert set(ends(figure({"short": history(SHORT), "long": history(LONG)}))) == {
        "short: 3 training jobs, best 5",
        "long: 5 training jobs, best 4",
    }


def test_the_title_says_what_each_earlier_stop_cost() -> None:
    jobs = {"long": history(LONG), "none": history(LONG[:4]), "short": history(SHORT)}
    title = figure(jobs).layout.title.text
    assert title == "Stopping after 3 of 5 training jobs cost 25 % of the best, after 4 nothing"


def test_the_title_of_one_job_says_when_its_best_was_found() -> None:
    assert figure({"a": history(LONG)}).layout.title.text == "Best of 5 training jobs: 4, reached after 4"


def test_the_worst_training_jobs_dont_rule_the_scale() -> None:
    drawn = figure({"a": history([5.0, 4.9, 4.8, 4.7, 4.6, 4.5, 4.4, 1e6])})
    assert drawn.layout.yaxis.range[1] < 10
    assert "1 worse one lies outside the frame" in drawn.layout.title.subtitle.text


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_every_stopping_point_lies_inside_the_frame(goal: str) -> None:
    jobs = {"bad": history([50.0] * 3, goal=goal), "good": history([1.0] * 40, goal=goal)}
    drawn = figure(jobs)
    low, high = drawn.layout.yaxis.range
    assert all(low < line.y[-1] < high for line in lines(drawn))


def test_labels_of_jobs_that_stop_together_have_heights_of_their_own() -> None:
    drawn = figure({name: history(SHORT) for name in "abc"})
    assert len({note.y for note in drawn.layout.annotations}) == 3


@pytest.mark.parametrize("counts", [(14, 60, 100), (23, 94, 200), (50, 60, 100), (90, 95, 100), (5, 6, 100)])
def test_no_label_is_crossed_by_the_dotted_line_of_another(counts: tuple[int, ...]) -> None:
    drawn = figure({f"BestObjectiveNotImproving {n}": history([5.0] * n) for n in counts})
    low, high = drawn.layout.xaxis.range
    for note in drawn.layout.annotations:
        width = 0.0098 * (high - low) * max(len(line) for line in re.sub("</?b>", "", note.text).split("<br>"))
        start, end = (note.x - width, note.x) if note.xanchor == "right" else (note.x, note.x + width)
        taller = [line for line in drawn.layout.shapes if line.x0 != note.x and line.y1 > note.y]
        assert not [line for line in taller if start <= line.x0 <= end]


def test_a_dot_names_the_hyperparameters() -> None:
    assert "eta = 0.002" in figure({"a": history(LONG)}).data[0].text[1]


def test_labels_and_metrics_are_shown_as_they_are_spelt() -> None:
    drawn = figure({"<b>x</b>": history(SHORT, metric="a<b")})
    assert "&lt;b&gt;x" in drawn.layout.annotations[0].text
    assert drawn.layout.yaxis.title.text.startswith("a&lt;b")


@pytest.mark.parametrize("jobs", [{}, {"a": []}, {"a": [None]}])
def test_without_an_objective_there_is_a_figure_that_says_so(jobs: dict[str, list[None]], tmp_path: Path) -> None:
    histories = {label: history(objectives) for label, objectives in jobs.items()}
    assert figure(histories).layout.title.text == "No training job has an objective yet."
    save_png(histories, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_the_html_needs_no_network(tmp_path: Path) -> None:
    save_html({"a": history(LONG)}, tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script src=" not in text
    assert "Best of 5 training jobs" in text


def test_the_png_is_1600_pixels_wide_and_survives_dollar_signs(tmp_path: Path) -> None:
    save_png({"cost in $^": history(LONG, metric="$loss_{")}, tmp_path / "a.png")
    header = (tmp_path / "a.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20], "big") == 1600


@pytest.mark.parametrize(("module", "draw"), [("plotly", figure), ("matplotlib", lambda h: save_png(h, "x.png"))])
def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, module: str, draw: Any) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install 'alfine\[plots\]'"):
        draw({"a": history(SHORT)})
