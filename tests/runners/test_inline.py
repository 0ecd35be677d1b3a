"""Functions as training jobs: what goes beyond the contract of all runners."""

import pytest


def see(inline, function, **settings):
    last, _ = inline.see_out(inline.launch(function=function, **settings))
    return inline.runner.poll(inline.launch(), 0), last.exit


def test_a_returned_number_is_the_last_point(inline):
    seen, end = see(inline, lambda hyperparameters, report: 0.25, metric="loss")
    assert [(point.name, point.value, point.step) for point in seen.points] == [("loss", 0.25, None)]
    assert end.succeeded


def test_reports_are_points_in_order(inline):
    def function(hyperparameters, report):
        for step in range(3):
            report(step, step / 10)

    seen, _ = see(inline, function)
    assert [(point.step, point.value) for point in seen.points] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert seen.points[0].at <= seen.points[2].at


def test_a_function_gets_its_own_copy_of_the_hyperparameters(inline):
    given = {"lr": "0.1"}
    see(inline, lambda hyperparameters, report: hyperparameters.clear(), hyperparameters=given)
    assert given == {"lr": "0.1"}


def test_values_that_are_not_finite_are_no_points_but_are_counted(inline):
    seen, end = see(inline, lambda hyperparameters, report: report(0, float("nan")) or float("inf"))
    assert seen.points == ()
    assert end.detail == "It reported 2 values that aren't finite numbers, the last of them inf."


def test_a_traceback_shows_the_function_and_nothing_of_ours(inline):
    def function(hyperparameters, report):
        report(0, "much")

    _, end = see(inline, function)
    assert end.code == 1
    assert "inline.py" not in end.tail.replace("test_inline.py", "")
    assert end.tail.endswith("TypeError: the objective must be a number, not 'much' (str)")


def test_true_is_no_objective(inline):
    _, end = see(inline, lambda hyperparameters, report: True)
    assert end.code == 1
    assert "TypeError: the objective must be a number, not True (bool)." in end.tail


def test_a_function_that_turns_out_to_be_async_is_named_so(inline):
    async def later():
        return 1.0

    _, end = see(inline, lambda hyperparameters, report: later())
    assert end.code == 1
    assert "the function is async" in end.tail


def test_reporting_on_after_being_asked_to_stop_ends_the_function(inline):
    passed = []

    def function(hyperparameters, report):
        while True:
            try:
                report(0, 1.0)
            except Exception:  # noqa: BLE001 - what careless code does
                passed.append("swallowed")

    launch = inline.launch(function=function)
    inline.runner.start(launch)
    inline.until(launch, lambda now: now.points)
    inline.runner.stop(launch)
    last, _ = inline.wait(launch)
    assert (last.exit.cause, passed) == ("stopped", [])


def test_an_answered_report_waits_until_it_was_decided_on(inline):
    answers = []

    def function(hyperparameters, report):
        answers.append(report(1, 0.5))
        answers.append(report(2, 0.4))

    launch = inline.launch(function=function, answered=True)
    inline.runner.start(launch)
    inline.until(launch, lambda now: now.points)
    assert answers == []
    inline.until(launch, lambda now: now.points, offset=1)
    inline.runner.stop(launch)
    inline.wait(launch)
    assert answers == [False, True]


@pytest.mark.parametrize(("code", "expected"), [(None, 0), (3, 3), ("no data", 1)])
def test_sys_exit_ends_a_function_as_it_ends_a_script(inline, code, expected):
    def function(hyperparameters, report):
        raise SystemExit(code)

    assert see(inline, function)[1].code == expected


def test_keyboard_interrupt_is_the_training_jobs_own_end(inline):
    def function(hyperparameters, report):
        raise KeyboardInterrupt

    assert "SIGINT" in see(inline, function)[1].reason()


def test_threads_are_used_again(inline):
    import threading

    names = set()
    for number in range(5):
        inline.see_out(inline.launch(f"job-{number}", function=lambda h, r: names.add(threading.get_ident())))
    assert len(names) <= 2


def test_many_training_jobs_run_side_by_side(inline):
    import threading

    everyone = threading.Barrier(20, timeout=30)
    launches = [inline.launch(f"job-{n}", function=lambda h, r: everyone.wait() and None) for n in range(20)]
    for launch in launches:
        inline.runner.start(launch)
    assert all(inline.wait(launch)[0].exit.succeeded for launch in launches)


def test_after_a_restart_it_is_unknown(inline):
    launch = inline.launch(function=lambda hyperparameters, report: 1.0)
    inline.see_out(launch)
    assert inline.renew().poll(launch, 0) is None
