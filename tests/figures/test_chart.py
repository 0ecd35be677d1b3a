"""Every figure as Chart: drawn in all formats, in both themes, with and without anything to show, and safe against what jobs wrote."""

from __future__ import annotations

import json
import random
import sys
from xml.etree import ElementTree as ET

import pytest

import alfine
from alfine.core.errors import MissingExtra
from alfine.core.wording import number
from alfine.figures.chart import MIME_TYPE, Chart
from alfine.figures.comparison import comparison
from alfine.figures.distribution import distribution
from alfine.figures.plots import Plots
from tests.building import history

NASTY = "</script><b>' + alert(1) + '"


def tuned(goal: str = "Minimize", count: int = 25) -> alfine.Tuner:
    rng = random.Random(3)
    space = {
        "eta": alfine.Continuous(0.001, 1, scaling="Logarithmic"),
        "depth": alfine.Integer(2, 12),
        NASTY: alfine.Categorical(["a", NASTY, "c"]),
    }
    tuner = alfine.Tuner(space, goal=goal, metric=NASTY, max_training_jobs=count, strategy="Random", price_per_hour=1.0)
    while job := tuner.ask():
        values = job.hyperparameters
        if job.number == 4:
            tuner.tell(job, failed=NASTY)
            continue
        loss = (values["depth"] - 6) ** 2 / 16 + values["eta"] + 0.1 * rng.random()
        for step in range(3):
            tuner.report(job, step, loss + 1 / (1 + step))
        tuner.tell(job, loss)
    return tuner


@pytest.fixture(scope="module")
def tuner() -> alfine.Tuner:
    return tuned()


def every_chart(tuner: alfine.Tuner) -> list[Chart]:
    histories = {"one": tuner.history, NASTY: tuner.history.upto(40)}
    compared = [comparison(histories, by=by) for by in ("jobs", "seconds", "wall", "money")]
    return [*tuner.plot.all(["BestObjectiveNotImproving 5"]), *compared, distribution(histories)]


def test_every_figure_is_drawn_and_what_jobs_wrote_is_text_in_it(tuner: alfine.Tuner) -> None:
    charts = every_chart(tuner)
    assert len({chart.name for chart in charts}) == 14
    for chart in charts:
        assert chart.view, chart.name
        drawn = chart.svg()
        assert "</script>" not in drawn, chart.name
        assert "<b>" not in drawn, chart.name


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_job_without_results_has_figures_that_say_what_they_wait_for(goal: str, count: int) -> None:
    early = tuned(goal, count) if count else alfine.Tuner({"x": alfine.Continuous(0, 1)}, goal=goal)
    for chart in Plots(early.history).all():
        assert chart.view or chart.empty.endswith("."), chart.name
    assert json.dumps(Plots(early.history).importance().vega_lite())


def test_a_figure_is_saved_in_four_formats_and_refuses_a_fifth(tuner: alfine.Tuner, tmp_path) -> None:
    chart = tuner.plot.importance()
    for ending, begin in {"html": b"<!DOCTYPE html>", "svg": b"<svg", "png": b"\x89PNG", "json": b"{"}.items():
        chart.save(tmp_path / f"x.{ending}")
        assert (tmp_path / f"x.{ending}").read_bytes().lstrip().startswith(begin)
    assert b"<script src" not in (tmp_path / "x.html").read_bytes()
    with pytest.raises(ValueError, match=r"\.gif.*\.png"):
        chart.save(tmp_path / "x.gif")


def test_light_and_dark_pages_have_inks_of_their_own(tuner: alfine.Tuner) -> None:
    chart = tuner.plot.cost()
    assert chart.vega_lite("light")["config"]["title"]["color"] != chart.vega_lite("dark")["config"]["title"]["color"]


def test_vega_sets_thousands_apart_as_alfine_does() -> None:
    vl_convert = pytest.importorskip("vl_convert")
    axis = {"field": "x", "type": "quantitative"}
    view = {"data": {"values": [{"x": 0}, {"x": 20000}]}, "mark": "point", "encoding": {"x": axis}}
    document = Chart(name="thousands", title="Thousands", view=view).vega_lite()
    assert number(20000) in vl_convert.vegalite_to_svg(document)


def test_a_notebook_gets_the_specification_and_the_picture(tuner: alfine.Tuner) -> None:
    shown = tuner.plot.best()._repr_mimebundle_()
    assert shown[MIME_TYPE]["layer"]
    assert shown["image/svg+xml"].startswith("<svg")
    assert shown["text/plain"].startswith("<Chart best-so-far: Best of 25 training jobs")


def test_without_the_extra_a_picture_is_there_and_a_png_says_how_to_get_it(tuner: alfine.Tuner, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtra, match=r"pip install 'alfine\[plots\]'"):
        tuner.plot.best().png()
    assert tuner.plot.best()._repr_mimebundle_()["image/svg+xml"].startswith("<svg")


def test_a_drawing_has_the_marks_of_the_definition_in_every_width(tuner: alfine.Tuner) -> None:
    """The SVG that Python draws and the view that Vega draws are of one definition."""
    for chart in every_chart(tuner):
        layers = [layer for panel in chart.view.get("concat", [chart.view]) for layer in panel.get("layer", [panel])]
        dots = sum(
            len(layer.get("data", chart.view.get("data"))["values"])
            for layer in layers
            if layer["mark"]["type"] == "point"
        )
        for width in (None, 340.0, 860.0):
            drawn = ET.fromstring(chart.svg(width=width))
            marks = [each for each in drawn.iter() if each.tag.endswith(("circle", "}path"))]
            assert dots <= len(marks), chart.name
            assert width is None or abs(float(drawn.get("width", 0)) - width) < 1 or width == 340, chart.name


@pytest.mark.parametrize(("names", "words"), [(("eat", "depth"), "Did you mean eta?"), (("eta", "eta"), "named twice")])
def test_a_contour_of_hyperparameters_that_the_job_lacks_is_refused(tuner: alfine.Tuner, names, words) -> None:
    with pytest.raises(alfine.InvalidSpec, match=words.replace("?", r"\?")):
        tuner.plot.contour(*names)


def test_jobs_are_compared_only_where_that_makes_sense(tuner: alfine.Tuner) -> None:
    other = tuned("Maximize", 3)
    assert alfine.compare(tuner, tuner, by="money").title.endswith("has the best objective, " + number_of_best(tuner))
    for wrong, words in (((), "give tuning jobs"), ((tuner, other), "give tuning jobs")):
        with pytest.raises(alfine.InvalidSpec, match=words):
            alfine.compare(*wrong)
    with pytest.raises(alfine.InvalidSpec, match="must be one of jobs, seconds, wall, money"):
        alfine.compare(tuner, by="hours")


def test_a_job_has_one_colour_and_one_dash_in_all_figures_of_a_comparison() -> None:
    """Also where one of them has no price, and so no cost."""
    histories = {
        label: history([1.0, 0.5], **({"price_per_hour": 2.0} if label != "b" else {})) for label in ("c", "b", "a")
    }
    looks = [comparison(histories, by=by).view["encoding"] for by in ("jobs", "money")]
    looks.append(distribution(histories).view["encoding"])
    for channel in ("color", "strokeDash"):
        scales = [look[channel]["scale"] for look in looks if channel in look]
        (whole, *others) = [dict(zip(each["domain"], each["range"], strict=True)) for each in scales]
        assert [*whole] == ["c", "b", "a"]
        assert all(each.items() <= whole.items() for each in others)


def number_of_best(tuner: alfine.Tuner) -> str:
    return number(tuner.best.objective)
