"""No error is swallowed without a sentence at its place that says why nobody needs to know, or who is told."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src/alfine"
FEWEST_WORDS = 3
BROAD = {"Exception", "BaseException", ""}


BAD = "tests/jobs/test_one_bad_training_job.py"
POOL = "tests/jobs/test_engine_pool.py::test_a_fault_of_the_database_is_logged_and_the_job_goes_on_once_it_is_over"
FORECASTS = "tests/contracts/test_forecasts.py"
FORCED = "tests/jobs/test_forced_stop.py::test_what_raises_while_one_is_killed_is_told_and_keeps_nothing_from_ending"

ENTERED = "tests/runners/test_sandbox.py::test_a_warm_start_in_a_sandbox_that_was_not_made_as_asked_says_so"
RAY = "tests/runners/test_ray.py"

TRACKERS = "tests/jobs/test_trackers.py"

REACHED = {
    "api/background.py: _guarded": "tests/api/test_job.py::test_what_ends_the_run_in_the_background_is_raised_where_somebody_waits",
    "aws/query_protocol.py: answer": "tests/aws/test_other_operations.py::test_an_operation_of_the_query_protocol_that_is_not_there_is_told_in_xml",
    "aws/s3/app.py: __call__": "tests/aws/s3/test_boto3.py::test_a_bucket_lives_from_create_to_delete",
    "aws/services.py: answer": "tests/aws/test_boto3.py::test_a_tuning_job_trains_and_completes",
    "core/protocols.py: verdict_of": "tests/core/test_judge.py::test_a_criterion_that_raises_is_told_and_the_job_goes_on",
    "criteria/future.py: ends": f"{FORECASTS}::test_an_end_that_cannot_be_told_is_said_to_be_unknown_and_no_number_is_given",
    "jobs/actions.py: act": f"{BAD}::test_a_training_job_that_cannot_be_prepared_fails_alone",
    "jobs/engine.py: _decide": "tests/contracts/test_plugins.py::test_installed_strategies_and_criteria_are_used_like_alfines_own",
    "jobs/actions.py: give_up": f"{BAD}::test_bad_training_jobs_end_as_failed_and_harm_no_other",
    "jobs/actions.py: stop": f"{BAD}::test_stop_works_although_a_runner_cannot_be_told",
    "jobs/observer.py: _try_to_observe": "tests/jobs/test_forced_stop.py::test_a_job_whose_launcher_hangs_whose_records_are_garbled_and_whose_folder_is_gone",
    "jobs/engine_pool.py: _ends_job": "tests/jobs/test_engine_pool.py::test_failures_that_cannot_be_counted_are_logged_and_end_nothing",
    "jobs/engine_pool.py: _is_stopping": POOL,
    "jobs/engine_pool.py: _keep_running": POOL,
    "jobs/engine_pool.py: _look_again_and_again": "tests/jobs/test_engine_pool.py::test_a_server_that_cannot_look_for_new_jobs_says_so_and_looks_again",
    "jobs/trackers/calls.py: _run": f"{TRACKERS}::test_one_that_raises_harms_nothing_is_said_and_is_told_the_rest_later",
    "jobs/trackers/follower.py: _follow": f"{TRACKERS}::test_one_that_raises_harms_nothing_is_said_and_is_told_the_rest_later",
    "jobs/trackers/follower.py: _let_go": f"{TRACKERS}::test_one_that_raises_harms_nothing_is_said_and_is_told_the_rest_later",
    "jobs/trackers/follower.py: _run": f"{TRACKERS}::test_a_fault_of_the_database_is_logged_and_the_tracker_is_told_once_it_is_over",
    "jobs/trackers/follower.py: _told": f"{TRACKERS}::test_one_that_raises_harms_nothing_is_said_and_is_told_the_rest_later",
    "jobs/recorded_ends.py: recorded_ends": "tests/jobs/test_recorded_ends.py::test_folders_go_of_what_has_ended_or_was_deleted_and_none_while_nobody_can_tell",
    "jobs/other_writers.py: _look_again_and_again": "tests/jobs/test_other_writers.py::test_a_database_that_cannot_be_read_is_looked_at_again",
    "jobs/ownership.py: _beat_until_over": "tests/jobs/test_ownership.py::test_a_heartbeat_that_fails_is_told_once_and_comes_again",
    "runners/on_ray/bridge.py: _read_log": f"{RAY}::test_what_keeps_a_node_from_going_on_is_told_at_polls_and_by_its_log",
    "runners/on_ray/followed.py: _keep_stopping": f"{RAY}::test_what_keeps_a_node_from_going_on_is_told_at_polls_and_by_its_log",
    "runners/on_ray/followed.py: _run": f"{RAY}::test_a_place_that_cannot_be_read_is_told",
    "runners/on_ray/followed.py: _watch": f"{RAY}::test_what_keeps_a_node_from_going_on_is_told_at_polls_and_by_its_log",
    "runners/on_ray/group.py: _run": f"{RAY}::test_a_place_that_cannot_be_read_is_told",
    "runners/on_ray/runner.py: _record": "tests/runners/test_ray.py::test_a_training_job_whose_place_cannot_be_recorded_is_not_started",
    "runners/node_fetches.py: _fetch": "tests/runners/test_node_fetches.py::test_buckets_that_are_away_are_told_and_asked_again_at_the_next_start",
    "runners/node.py: look": "tests/runners/test_host.py::test_a_node_tells_what_keeps_it_from_going_on",
    "runners/storage/copies.py: _copy_checkpoints": "tests/runners/test_host.py::test_checkpoints_and_log_are_copied_while_it_runs",
    "runners/storage/copies.py: _copy_log": "tests/runners/test_host.py::test_checkpoints_and_log_are_copied_while_it_runs",
    "runners/storage/deliveries.py: _deliver": f"{BAD}::test_stop_works_while_the_buckets_are_away_and_the_others_go_on_until_then",
    "runners/inline.py: _call": "tests/jobs/test_engine.py::test_a_failing_function_says_why_and_the_job_goes_on",
    "server/replay_desk.py: _turn": "tests/server/test_replay_desk.py::test_a_replay_that_fails_is_told_and_harms_no_other",
    "runners/launcher/entering.py: _enter": ENTERED,
    "runners/launcher/entering.py: run": ENTERED,
    "runners/launcher/supervisor.py: _fork": "tests/runners/test_hosts.py::test_what_goes_wrong_in_alfines_own_process_is_in_the_log_and_leaves_no_host",
    "runners/model_packing.py: _pack": f"{BAD}::test_bad_training_jobs_end_as_failed_and_harm_no_other",
    "runners/launcher/preload.py: preload": "tests/runners/test_warm.py::test_imports_that_act_make_the_start_cold_and_are_reported",
    "jobs/forced_stop.py: _ask": FORCED,
    "jobs/forced_stop.py: _killed": FORCED,
    "jobs/tries.py: _record": f"{BAD}::test_tries_that_cannot_be_recorded_are_counted_all_the_same",
    "programs/algorithms/opt_ml.py: run": "tests/aws/test_built_in.py::test_data_that_cannot_be_read_is_the_failure_reason",
    "runners/launcher/hosts.py: _start": "tests/runners/test_hosts.py::test_hosts_that_cannot_be_started_say_why",
    "runners/launcher/supervisor.py: _be_child": "tests/runners/test_process.py::test_a_command_that_is_not_there_says_so",
    "runners/launcher/script.py: _run_main": "tests/runners/test_warm.py::test_a_script_ends_the_same_way_warm_and_cold",
    "server/health.py: _asked": "tests/server/test_monitoring.py::test_a_server_is_unready_while_its_database_does_not_answer",
    "server/housekeeping.py: _run": "tests/jobs/test_retention.py::test_a_server_goes_on_when_it_cannot_remove_what_is_old",
    "server/webhooks/follower.py: _run": "tests/server/test_webhooks.py::test_a_fault_of_the_database_is_logged_and_events_follow_once_it_is_over",
    "server/webhooks/follower.py: start": "tests/server/test_webhooks.py::test_a_fault_of_the_database_is_logged_and_events_follow_once_it_is_over",
    "server/console/made_aside.py: _make_wanted": "tests/server/console/test_large_jobs.py::test_a_drawing_that_fails_is_logged_and_tried_again_at_the_next_view",
    "server/console/app.py: _answer": "tests/server/console/test_pages.py::test_a_fault_of_alfine_is_a_page_that_says_so",
}
"""Handlers of any error that don't raise it again: a test that reaches each, as seen with a mark in every handler."""

NOT_SEEN = {
    "runners/on_ray/check.py: _check_node",
}
"""Those that no test was seen to reach: most run in the process that talks to Ray, where a mark can't tell by which test."""


def names_in(caught: ast.expr | None) -> set[str]:
    """The exceptions of a handler; "" for one that catches everything."""
    if isinstance(caught, ast.Tuple):
        return set().union(*map(names_in, caught.elts))
    return {"" if caught is None else ast.unparse(caught).rpartition(".")[2]}


def says_nothing(body: list[ast.stmt]) -> bool:
    """Whether a handler only goes on, or returns a value in place of an answer."""
    constant = ast.Constant | ast.List | ast.Tuple | ast.Dict
    return all(
        isinstance(each, ast.Pass | ast.Continue)
        or (isinstance(each, ast.Return) and (each.value is None or isinstance(each.value, constant)))
        for each in body
    )


def raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(each, ast.Raise) for each in ast.walk(handler))


def swallowing(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, int, int]]:
    """What may swallow an error, with the lines at which its sentence can stand."""
    for node in nodes:
        if isinstance(node, ast.With | ast.AsyncWith):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            if any(ast.unparse(call.func).rpartition(".")[2] == "suppress" for call in calls):
                yield node, node.lineno - 1, node.body[0].end_lineno or node.lineno
        elif isinstance(node, ast.ExceptHandler) and not raises(node):
            caught = names_in(node.type)
            if caught & BROAD:
                yield node, node.lineno - 1, node.body[0].lineno
            elif "OSError" in caught and says_nothing(node.body):
                yield node, node.lineno - 1, node.body[-1].end_lineno or node.lineno
        elif isinstance(node, ast.Call):
            for word in node.keywords:
                if (word.arg, ast.unparse(word.value)) in (("ignore_errors", "True"), ("errors", "'ignore'")):
                    yield node, node.lineno - 1, node.end_lineno or node.lineno


def sentences(text: str) -> dict[int, str]:
    """The comments of a module by line, without directions for linters."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comment = token.string.lstrip("# ")
            for direction in ("noqa", "type: ignore"):
                if comment.startswith(direction):
                    comment = comment.partition(" - ")[2]
            found[token.start[0]] = comment
    return found


def unexplained(text: str, nodes: Iterable[ast.AST]) -> list[int]:
    """The lines that may swallow an error without a sentence."""
    found = list(swallowing(nodes))
    said = sentences(text) if found else {}
    return [
        node.lineno
        for node, first, last in found
        if not any(len(said.get(line, "").split()) >= FEWEST_WORDS for line in range(first, last + 1))
    ]


def test_whatever_swallows_an_error_says_why_nobody_needs_to_know(house):
    found = {module.file: unexplained(module.text, module.nodes) for module in house.modules.values()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def catches_any_error(function: ast.AST) -> bool:
    handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)]
    return any(names_in(handler.type) & BROAD and not raises(handler) for handler in handlers)


def test_handlers_of_any_error_have_a_test_that_reaches_them(house):
    found = {
        f"{module.file}: {function.name}"
        for module in house.modules.values()
        for function in module.nodes
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and catches_any_error(function)
    }
    assert found == set(REACHED) | NOT_SEEN
    for test in REACHED.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT.parents[1] / file).read_text()


@pytest.mark.parametrize(
    "code",
    [
        "with suppress(OSError):\n    f()",
        "try:\n    f()\nexcept Exception:\n    g()",
        "try:\n    f()\nexcept:\n    pass",
        "try:\n    f()\nexcept (OSError, ValueError):\n    pass",
        "shutil.rmtree(x, ignore_errors=True)",
        "with suppress(OSError):  # noqa: SIM117\n    f()",
    ],
)
def test_the_rule_bites(code):
    said = f"# it may be gone by now\n{code}"
    assert unexplained(code, ast.walk(ast.parse(code))) == [1 if "try" not in code else 3]
    assert unexplained(said, ast.walk(ast.parse(said))) == ([] if "try" not in code else [4])
