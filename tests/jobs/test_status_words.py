"""One status a training job, and one line for why it failed."""

import pytest

from alfine.jobs.status_words import cause_of, failure_causes, status_words

LOG = "; last lines of its log: "


@pytest.mark.parametrize(
    ("status", "failure", "stop", "label"),
    [
        ("InProgress", None, None, "In progress"),
        ("Completed", None, None, "Completed"),
        ("Completed", None, "Stopped early: chance of the best 2 %. loss was 1.2.", "Completed"),
        ("Completed", "No value of the objective metric 'loss'.", None, "Completed without an objective"),
        ("Stopped", None, None, "Stopped"),
        (
            *("Stopped", None, "Stopped early: chance of the best 2 %. loss was 1.2 at emission 3."),
            "Stopped early: chance of the best 2 %",
        ),
        ("Stopped", None, "The user asked to stop it.", "Stopped by the user"),
        ("Stopped", None, "The tuning job ends: 5 of 5 training jobs.", "Stopped with the tuning job"),
        ("Stopped", None, "Diverged: 1e9.", "Stopped: Diverged: 1e9"),
        ("Stopped", "MaxRuntimeInSeconds is over.", None, "Stopped: MaxRuntimeInSeconds is over"),
        ("Failed", f"AlgorithmError: exit code: 1{LOG}a\nValueError: x", None, "Failed: ValueError: x"),
        ("Failed", None, None, "Failed"),
    ],
)
def test_a_training_job_has_one_status(status, failure, stop, label):
    assert status_words(status, failure, stop).label == label


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f"AlgorithmError: exit code: 1{LOG}Traceback:\n  File x\ntorch.OutOfMemoryError: 2 GiB\n\n", None),
        (f"AlgorithmError: killed by signal 9 (SIGKILL): out of memory?{LOG}epoch 3", "epoch 3"),
        ("AlgorithmError: exit code: 3 (its log is empty)", "exit code: 3 (its log is empty)"),
        (f"InternalServerError: It was killed.{LOG}m=1", "InternalServerError: It was killed, after «m=1»"),
        ("InternalServerError: the disk is full.\nmore", "InternalServerError: the disk is full."),
    ],
)
def test_the_cause_of_a_failure_is_the_last_line_of_its_log(reason, cause):
    expected = {
        None: "torch.OutOfMemoryError: 2 GiB",
        "epoch 3": "killed by signal 9 (SIGKILL): out of memory?, after «epoch 3»",
    }
    assert cause_of(reason) == expected.get(cause, cause)


def test_failures_that_differ_in_numbers_only_have_one_cause():
    reasons = [("t3", "ValueError: depth 3"), ("t2", "KeyError: 'lr'"), ("t1", "ValueError: depth -1.5e-3")]
    told = [(each.cause, each.count, each.training_job) for each in failure_causes(reasons)]
    assert told == [("ValueError: depth 3", 2, "t3"), ("KeyError: 'lr'", 1, "t2")]
