"""The read model: what SQL reads is what the history knows, and every face renders the same."""

import json
import random

import pytest

from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.services import services
from alfine.core.arns import Arns
from alfine.core.facts import INTERNAL_ERROR, Ended, Launched
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.read_spec import read_spec
from alfine.criteria.plateau import not_improving
from alfine.jobs.describe import describe_tuning_job, training_job_summaries
from alfine.jobs.home import Home
from alfine.store import queries
from tests.building import at, one_job, request, several

RESULTS = random.Random(3).choices([None, 1.0, 2.0, 3.0, 0.5, 2.25, float("inf")], k=30)
JOBS = {
    "minimised": request(),
    "maximised": request(goal="Maximize"),
    "repeated": request(repeats={"best": 2, "times": 2}),
    "of one objective": several({}, {}),
    "of two objectives": several({}, {"metric": "other"}),
    "child": {**request(), "WarmStartConfig": {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "elder"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }},
}  # fmt: skip
ELDER = Inherited(
    parent="elder", name="elder-1", hyperparameters={"eta": "0.5", "depth": "3", "booster": "dart"}, static={},
    status="Completed", created_at=at(0), started_at=None, ended_at=at(1), objective=0.75,
)  # fmt: skip


class Recorded:
    """A home with one tuning job, and the history of the same facts."""

    def __init__(self, home, asked):
        self.home, self.spec = home, read_spec(asked)
        inherited = [ELDER] if self.spec.parents else []
        self.job = home.store.create(self.spec, at(0), inherited)
        self.past = History(self.spec, at(0), inherited)

    def run(self, objectives):
        """Training jobs that ran one after the other; two that failed for each reason, and the last still running."""
        for objective in objectives:
            number = self.past.launches + 1
            definition = [*self.spec.parts][number % 2] if self.spec.parts else None
            repeated = self.past.jobs[number % 5].hyperparameters if self.spec.repeats and number > 20 else None
            status = "Failed" if objective is None else "Completed"
            facts = one_job(self.past, objective, status=status, definition=definition, hyperparameters=repeated)
            if objective is None and number % 2:
                lost = Ended(at=facts[-1].at, number=number, status="Failed", failure_reason=f"{INTERNAL_ERROR}lost")
                facts = [*facts[:-1], lost]
            self.record(facts)

    def record(self, facts):
        self.home.store.record(self.job.id, len(self.past.facts), facts, texts=self.spec.texts)
        for fact in facts:
            self.past.record(fact)

    def description(self, before=None):
        with self.home.store.reading() as connection:
            return describe_tuning_job(connection, queries.tuning_job(connection, self.job.id), before)


@pytest.fixture(params=JOBS.values(), ids=JOBS)
def recorded(tmp_path, request):
    with Home(tmp_path) as home:
        found = Recorded(home, request.param)
        found.run(RESULTS)
        found.record(one_job(found.past, None, definition=next(iter(found.spec.parts), None))[:2])
        yield found


def test_a_description_is_what_the_history_knows(recorded):
    described, past = recorded.description(), recorded.past
    counters, objectives = [job.counter for job in past.jobs], [job.objective_status for job in past.jobs]
    assert {name: count for name, count in described.counters.statuses.items() if count} == {
        name: counters.count(name) for name in counters
    }
    assert {name: count for name, count in described.counters.objectives.items() if count} == {
        name: objectives.count(name) for name in objectives
    }
    assert described.best.name == past.incumbent.name
    assert described.best.hyperparameters == past.spec.of(past.incumbent.definition).space.to_text(
        past.incumbent.hyperparameters
    )
    assert described.not_improving == not_improving(past)
    if past.spec.parents:
        assert described.overall_best.name == past.overall_best.name
    else:
        assert described.overall_best is None


def test_the_summaries_are_the_training_jobs_of_the_history(recorded):
    with recorded.home.store.reading() as connection:
        rows = queries.training_jobs_of(connection, recorded.job.id)
    summaries = training_job_summaries(rows, recorded.job.request)
    assert [(each.name, each.status, each.objective, each.objective_status, each.definition) for each in summaries] == [
        (job.name, job.status, job.objective, job.objective_status, job.definition) for job in recorded.past.jobs
    ]


def test_a_description_goes_on_from_an_earlier_one(recorded):
    before = recorded.description()
    last = recorded.past.jobs[-1]
    recorded.record([Ended(at=recorded.past.now, number=last.number, status="Completed", objective=9.0)])
    recorded.run([8.0, 0.25, None, 1.0])
    assert recorded.description(before) == recorded.description()


def test_aws_and_the_documents_say_the_same(recorded):
    service = services(AwsBackend(recorded.home.service, Arns(), lambda _: None, lambda: None))["sagemaker"]

    def told(operation):
        return json.loads(service.answer(operation, json.dumps({"HyperParameterTuningJobName": "job"}).encode())[1])

    plain, aws = recorded.home.service.describe("job"), told("DescribeHyperParameterTuningJob")
    for key in ("Status", "Name"):
        assert aws[f"HyperParameterTuningJob{key}"] == plain[f"HyperParameterTuningJob{key}"]
    for key in ("TrainingJobStatusCounters", "ObjectiveStatusCounters", "TuningJobCompletionDetails"):
        assert aws[key] == plain[key]
    for key in ("BestTrainingJob", "OverallBestTrainingJob"):
        assert (key in aws) == (key in plain)
        assert _alike(aws.get(key, {}), plain.get(key, {}))
    rows = told("ListTrainingJobsForHyperParameterTuningJob")["TrainingJobSummaries"]
    ours = sorted(recorded.home.service.training_jobs("job"), key=lambda row: row["TrainingJobName"])
    assert len(rows) == 10, "a page"
    assert all(_alike(row, one) for row, one in zip(rows, ours, strict=False))


def _alike(aws, plain):
    """Whether the fields that both have are the same, but for instants, which they spell differently."""
    metric = "FinalHyperParameterTuningJobObjectiveMetric"
    same = {*aws} & {*plain} - {"CreationTime", "TrainingStartTime", "TrainingEndTime", metric}
    value, other = (one.get(metric, {}).get("Value") for one in (aws, plain))
    return value == other and all(aws[key] == plain[key] for key in same)


def test_launches_alone_are_described_without_a_best(tmp_path):
    with Home(tmp_path) as home:
        found = Recorded(home, request())
        values = found.spec.space.sample(found.past.rng(1))
        found.record([Launched(at=at(1), number=1, name="job-001", hyperparameters=values)])
        described = found.description()
    assert (described.best, described.not_improving, described.counters.launched) == (None, 0, 1)
