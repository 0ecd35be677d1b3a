"""The live view: what it shows, what it costs, and what it leaves of the terminal."""

import io

import pytest
from rich.console import Console

import alfine
from alfine.api.job_progress import JobProgress
from alfine.api.job_words import job_request
from alfine.api.live_view import LiveView, picture
from alfine.api.run_job import create_or_resume, run_to_end
from alfine.api.terminal_chart import BestCurve
from alfine.jobs.home import Home


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """What was written, and how often something was drawn."""

    def drawn(self) -> int:
        return self.getvalue().count("InProgress")


def run(home, view, *, fail=(), then=None, **settings):
    """Run a small job of a function; `then` is called after each step."""
    settings = {"name": "small", "strategy": "Random", "max_training_jobs": 20, "seed": 1} | settings
    space = {"x": alfine.Continuous(0, 1)}

    def function(texts, report):
        value = float(texts["x"])
        if value in fail or value < (0.2 if fail else 0):
            raise ValueError(value)
        return value

    def after(found):
        view.update(found)
        if then is not None:
            then()

    with Home(home) as opened:
        request = job_request(space=space, function="tests:function", **settings)
        create_or_resume(opened, request, function)
        run_to_end(opened, settings["name"], functions={settings["name"]: function}, after_step=after)


def terminal(screen):
    return Console(file=screen, force_terminal=True, width=80, color_system=None, legacy_windows=False)


def test_a_job_that_another_process_runs_looks_the_same(tmp_path):
    ours, told = Screen(), Screen()
    with LiveView(terminal(ours)) as view:
        run(tmp_path, view, criteria=[alfine.BestObjectiveNotImproving(19)], fail=(2.0,))
    with LiveView(terminal(told)) as view, Home(tmp_path) as home:
        view.show_description(home.service.describe("small"), home.service.training_jobs("small"))
    last = [screen.getvalue().rsplit("small  ", 1)[1].splitlines() for screen in (ours, told)]
    assert [line for line in last[1] if "jobs" in line] == [line for line in last[0] if "jobs" in line]
    assert [line.split() for line in last[1][2:4]] == [line.split() for line in last[0][2:4]]  # the best
    assert "for all 20" in told.getvalue()
    assert all(len(line) <= 80 for line in last[1])


def test_a_terminal_sees_progress_best_eta_and_each_criterion(tmp_path):
    screen = Screen()
    with LiveView(terminal(screen)) as view:
        run(tmp_path, view, criteria=[alfine.BestObjectiveNotImproving(19)], fail=(2.0,))
    last = screen.getvalue().rsplit("small  ", 1)[1]
    assert "Random" in last
    assert "20 of 20 · 0 running · " in last
    assert "failed" in last
    assert "objective 0.2" in last
    assert "for all 20" in last
    assert last.index("BestObjectiveNotImproving") < last.index("MaxNumberOfTrainingJobs")
    assert "StopRequested" not in last
    assert all(len(line) <= 80 for line in last.splitlines())


def test_an_update_soon_after_the_last_one_draws_nothing(tmp_path):
    clock, screen = Clock(), Screen()
    with LiveView(terminal(screen), clock=clock) as view:
        run(tmp_path, view)
        assert screen.drawn() == 1


def test_at_most_eight_updates_a_second_draw(tmp_path):
    clock, screen = Clock(), Screen()

    def tick():
        clock.now += 0.05

    with LiveView(terminal(screen), clock=clock) as view:
        run(tmp_path, view, then=tick)
        steps = round(clock.now / 0.05)
        assert screen.drawn() <= clock.now / 0.125 + 1 < steps


@pytest.mark.parametrize("transient", [False, True])
def test_the_cursor_is_shown_again_after_an_exception(tmp_path, transient):
    screen = Screen()

    def explode():
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"), LiveView(terminal(screen), transient=transient) as view:
        run(tmp_path, view, then=explode)
    text = screen.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0


def test_a_file_gets_a_line_an_improvement_and_one_each_tenth(tmp_path):
    screen = Screen()
    with LiveView(Console(file=screen, width=80)) as view:
        run(tmp_path, view, max_training_jobs=20)
    lines = screen.getvalue().splitlines()
    improvements = [line for line in lines if "the best so far (x=" in line]
    tenths = [line for line in lines if "of 20 training jobs ended after" in line]
    assert 1 <= len(improvements) < 20
    assert len(tenths) <= 10
    assert tenths[-1].startswith("20 of 20")
    assert "\x1b" not in screen.getvalue()


def test_the_best_so_far_is_a_line_of_as_many_columns_as_there_are():
    lines = [*BestCurve([4.0, 4.0, 1.0, 1.0], first=2).lines(30)]
    assert lines[0].startswith("4 ┤⠉⠉")
    assert lines[-2].startswith("1 ┤⠀⠀")
    assert lines[-2].endswith("⣀⣀⣀")
    assert (lines[-1].split(), {len(line) <= 30 for line in lines}) == (["└2", "5", "training", "jobs"], {True})


def test_the_curve_is_the_same_from_a_description(tmp_path):
    with LiveView(terminal(Screen())) as view:
        run(tmp_path, view)
    with Home(tmp_path) as home:
        job, rows = alfine.attach("small", home=tmp_path), home.service.training_jobs("small")
        told = JobProgress.from_description(home.service.describe("small"), rows)
    assert told.curve == [value for _, value in job.history.best_curve()]
    screen = Screen()
    terminal(screen).print(picture(told))
    assert "20 training jobs" in screen.getvalue()
    assert all(len(line) <= 80 for line in screen.getvalue().splitlines())
