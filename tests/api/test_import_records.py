"""Records from elsewhere: AWS's answers as files, Optuna studies."""

import json
from datetime import timedelta

import pytest

from alfine import ConvergenceDetected, Integer, MaxCost
from alfine.api.import_aws import from_aws
from alfine.api.import_optuna import from_optuna
from alfine.core.errors import InUse, InvalidSpec
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.jobs.home import Home
from alfine.surrogate.parent_evidence import prior
from tests.building import EPOCH, history, listed, one_job, request, several
from tests.missing import package
from tests.optuna_studies import optuna_storage

DEFINITION = {
    "StaticHyperParameters": {"objective": "reg:squarederror", "_tuning_objective_metric": "objective"},
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "objective", "Regex": "objective=([0-9.]+)"}],
    },
}


@pytest.fixture
def answers(tmp_path):
    """The two answers of AWS's API about a tuning job of 12 training jobs, two lists of 6, as files."""

    def write(*, status="Completed", objectives=None, style=str):
        values = objectives or [5.0, 4.0, None, 3.0, 3.0, 2.0, 2.5, 2.2, 2.1, 2.05, 2.01, 2.0]
        past = history([], name="on-aws")
        for value in values:
            for fact in one_job(past, value, status="Completed" if value is not None else "Failed", seconds=60):
                past.record(fact)

        def said(at):
            return at.timestamp() if style is float else at.isoformat() if style is str else str(at)

        rows = [
            {
                **{key: value for key, value in row.items() if key != "TuningJobName"},
                "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{job.name}",
                "CreationTime": said(job.created_at),
                "TrainingStartTime": said(job.started_at),
                "TrainingEndTime": said(job.ended_at),
            }
            for job, row in zip(past.jobs, listed(past), strict=True)
        ]
        made = request(name="on-aws", max_training_jobs=12)
        described = {
            "HyperParameterTuningJobName": "on-aws",
            "HyperParameterTuningJobArn": "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/on-aws",
            "HyperParameterTuningJobConfig": made["HyperParameterTuningJobConfig"],
            "TrainingJobDefinition": {**made["TrainingJobDefinition"], **DEFINITION},
            "HyperParameterTuningJobStatus": status,
            "CreationTime": said(past.created_at),
            "HyperParameterTuningEndTime": said(past.now + timedelta(seconds=30)),
            "TrainingJobStatusCounters": {"Completed": 11, "InProgress": 0, "NonRetryableError": 1, "Stopped": 0},
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }
        files = [tmp_path / name for name in ("job.json", "list-1.json", "list-2.json")]
        texts = [described, {"TrainingJobSummaries": rows[::-1][:6]}, {"TrainingJobSummaries": rows[::-1][6:]}]
        for file, text in zip(files, texts, strict=True):
            file.write_text(json.dumps(text))
        return files[0], files[1:], past

    return write


@pytest.mark.parametrize("style", [str, float, repr], ids=["ISO", "seconds", "str of datetime"])
def test_a_job_of_aws_comes_in_whole(tmp_path, answers, style):
    description, lists, past = answers(style=style)
    record, remarks = from_aws(description, lists)
    assert remarks == ()
    with Home(tmp_path / "home") as home:
        home.service.take_over(record)
        found = home.service.history("on-aws")
        described = home.service.describe("on-aws")
    assert [(j.name, j.objective, j.status, j.seconds, j.hyperparameters) for j in found.jobs] == [
        (j.name, j.objective, j.status, j.seconds, j.hyperparameters) for j in past.jobs
    ]
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["BestTrainingJob"]["TrainingJobName"] == past.incumbent.name
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] == 1


def test_it_is_replayed_like_one_of_our_own(tmp_path, answers):
    record, _ = from_aws(*answers()[:2])
    with Home(tmp_path) as home:
        home.service.take_over(record)
        replayed = home.service.replay("on-aws", [ConvergenceDetected(delta=0.999)])
    assert replayed.training_jobs == 11  # ten objectives are needed, and one training job failed


def test_a_missing_page_is_noticed(answers):
    description, lists, _ = answers()
    _, remarks = from_aws(description, lists[:1])
    assert remarks == ("The description counts 12 training jobs, the lists have 6. Give every page of the list.",)


def test_a_job_that_still_runs_there_is_refused(answers):
    description, lists, _ = answers(status="InProgress")
    with pytest.raises(InvalidSpec, match="is 'InProgress' there. Import it once it has ended"):
        from_aws(description, lists)


def test_pages_that_overlap_count_once_and_files_in_the_wrong_order_are_told(answers):
    description, lists, _ = answers()
    record, _ = from_aws(description, [*lists, lists[0]])
    assert record.facts == from_aws(description, lists)[0].facts
    with pytest.raises(InvalidSpec, match="isn't an answer of DescribeHyperParameterTuningJob. That file goes first"):
        from_aws(lists[0], [description, lists[1]])


def test_its_training_jobs_cost_what_the_home_says_of_their_instances(tmp_path, answers):
    (tmp_path / "alfine.toml").write_text("[prices.per_hour]\nlocal = 6\n")
    record, _ = from_aws(*answers()[:2])
    with Home(tmp_path) as home:
        home.service.take_over(record)
        assert home.service.describe("on-aws")["Alfine"]["Cost"]["Spent"]["Money"] == pytest.approx(12 * 0.1)
        assert home.service.replay("on-aws", [MaxCost(0.55)]).training_jobs == 5


def test_every_entry_that_cant_be_read_is_named(tmp_path, answers):
    description, lists, _ = answers()
    entries = json.loads(lists[0].read_text())
    del entries["TrainingJobSummaries"][1]["CreationTime"]
    entries["TrainingJobSummaries"][2]["TunedHyperParameters"]["depth"] = "many"
    lists[0].write_text(json.dumps(entries))
    with pytest.raises(InvalidSpec) as error:
        from_aws(description, lists)
    assert "TrainingJobSummaries[1]: CreationTime is missing." in str(error.value)
    assert "TrainingJobSummaries[2]" in str(error.value)
    assert len(error.value.faults) == 2


@pytest.mark.parametrize("again", [None, "another"], ids=["same name", "another name"])
def test_imported_twice_is_refused_and_leaves_nothing_half(tmp_path, answers, again):
    description, lists, _ = answers()
    with Home(tmp_path / "home") as home:
        home.service.take_over(from_aws(description, lists)[0])
        with pytest.raises(InUse):
            home.service.take_over(from_aws(description, lists, again)[0])
        assert [job.name for job in home.store.list()] == ["on-aws"]


# -- Optuna --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    with optuna_storage(url) as (optuna, storage):
        made = optuna.create_study(storage=storage, study_name="My study #1", direction="maximize")
        made.optimize(objective(optuna), n_trials=12, catch=ValueError)
        yield url, made


def objective(optuna):
    def objective(trial):
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        depth = trial.suggest_int("depth", 1, 9)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        if kind == "b":
            trial.suggest_float("only_b", 0, 1)
        if trial.number == 3:
            raise ValueError("broken")
        for step in range(3):
            trial.report(depth - step - rate, step)
        if trial.number == 5:
            raise optuna.TrialPruned
        return depth - rate

    return objective


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{}/none.db", "there is no file {}/none.db"),
        ("{}/none.db", "must be the URL of a storage, such as sqlite:///{}/none.db"),
    ],
)
def test_a_study_that_is_not_there_is_told_and_not_made(tmp_path, url, words):
    package("optuna")
    with pytest.raises(InvalidSpec) as error:
        from_optuna(url.format(tmp_path))
    assert words.format(tmp_path) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_optuna_comes_in_whole(tmp_path, study):
    url, made = study
    record, remarks = from_optuna(url)
    assert remarks == ("only_b is taken to be active only where kind = b, as in every trial.",)
    with Home(tmp_path / "home") as home:
        home.service.take_over(record)
        found = home.service.history("My-study-1")
    assert found.spec.goal == "Maximize"
    assert [job.status for job in found.jobs][3] == "Failed"
    assert [job.status for job in found.jobs][5] == "Stopped"
    assert found.jobs[5].objective == pytest.approx(made.trials[5].intermediate_values[2])
    assert found.incumbent.objective == pytest.approx(made.best_value)
    assert found.incumbent.hyperparameters == made.best_params
    assert all(("only_b" in job.hyperparameters) == (job.hyperparameters["kind"] == "b") for job in found.jobs)
    assert len(found.jobs[0].curve("objective")) == 3


def in_optuna(path, *trials):
    """What comes in of a study with these trials, each as (its parameters, its value); None: it failed on its way."""
    with optuna_storage(f"sqlite:///{path}/s.db") as (optuna, storage):
        study = optuna.create_study(storage=storage, study_name="s")

        def kind(name, each):
            if isinstance(each, str):
                return optuna.distributions.CategoricalDistribution(["a", "b"])
            return optuna.distributions.IntDistribution(*((each, each) if name == "fixed" else (0, 2 * each + 1)))

        for values, value in trials:
            state = optuna.trial.TrialState.FAIL if value is None else optuna.trial.TrialState.COMPLETE
            kinds = {name: kind(name, each) for name, each in values.items()}
            study.add_trial(optuna.trial.create_trial(state=state, value=value, params=values, distributions=kinds))
    return from_optuna(f"sqlite:///{path}/s.db")


def test_a_trial_that_failed_on_its_way_takes_no_parameter_from_the_others(tmp_path):
    record, remarks = in_optuna(tmp_path, ({"n": 1, "k": 2}, 1.0), ({"n": 2}, None), ({"n": 3, "k": 1}, 2.0))
    assert set(record.spec.space.names) == {"n", "k"}
    assert remarks == ()
    assert [fact.objective for fact in record.facts if hasattr(fact, "objective")] == [1.0, 2.0]


def test_a_number_tells_too_when_a_parameter_is_there(tmp_path):
    trials = [({"layers": n, "kind": "ab"[n % 2], **({"width": 5} if n > 1 else {})}, 1.0) for n in (1, 2, 3, 0)]
    _, remarks = in_optuna(tmp_path, *trials)
    assert remarks == ("width is taken to be active only where layers >= 2, as in every trial.",)


def test_where_two_tell_or_none_a_parameter_is_left_out(tmp_path):
    trials = [
        ({"n": n, "m": n, **({"extra": 5} if n > 1 else {}), **({"odd": 1} if n % 2 else {})}, 1.0) for n in range(4)
    ]
    record, remarks = in_optuna(tmp_path, *trials)
    assert set(record.spec.space.names) == {"n", "m"}
    assert remarks == ("Left out, since not every trial has them: extra, odd.",)


def test_a_parameter_without_a_choice_is_static_and_one_whose_range_changed_has_the_widest(tmp_path):
    record, _ = in_optuna(tmp_path, ({"n": 9, "fixed": 4}, 1.0), ({"n": 2, "fixed": 4}, 2.0))
    assert record.spec.definition.static_hyperparameters["fixed"] == "4"
    assert (record.spec.space.ranges["n"].low, record.spec.space.ranges["n"].high) == (0, 19)


def test_a_job_with_conditions_begins_with_a_study_that_had_them(tmp_path, study):
    import alfine

    url, _ = study
    home, space = (
        tmp_path / "home",
        {
            "rate": alfine.Continuous(1e-4, 1, scaling="Logarithmic"),
            "depth": alfine.Integer(1, 9),
            "kind": alfine.Categorical(["a", "b"]),
            "only_b": alfine.Continuous(0, 1, requires={"kind": "b"}),
        },
    )
    with Home(home) as opened:
        opened.service.take_over(from_optuna(url)[0])
    words = {"goal": "Maximize", "warm_start": "My-study-1", "max_training_jobs": 1, "home": home, "progress": False}
    job = alfine.tune(lambda point: point["depth"], space, **words)
    assert job.warm_start_sentence.startswith("All 11 objectives of the parents")


def test_a_study_must_be_named_where_there_are_several(study):
    url, _ = study
    with optuna_storage(url) as (optuna, storage):
        optuna.create_study(storage=storage, study_name="other")
    with pytest.raises(InvalidSpec, match="say which study is meant. It has: My study #1, other"):
        from_optuna(url)
    with pytest.raises(InvalidSpec, match="there is no study 'none'"):
        from_optuna(url, "none")
    with pytest.raises(InvalidSpec, match="has no trial that has ended"):
        from_optuna(url, "other")


def test_a_job_with_several_definitions_comes_in_by_definition(tmp_path):
    asked = several({}, {"space": {"n": Integer(1, 3)}}, name="two", max_training_jobs=4)
    past = History(read_spec(asked), EPOCH)
    for value, definition in ((3.0, "a"), (2.0, "b"), (4.0, "a"), (1.0, "b")):
        for fact in one_job(past, value, definition=definition):
            past.record(fact)
    rows = listed(past)
    for each in asked["TrainingJobDefinitions"]:
        each["StaticHyperParameters"] = {"_tuning_objective_metric": "objective"}
    times = {"CreationTime": EPOCH.isoformat(), "HyperParameterTuningEndTime": past.now.isoformat()}
    described = {**asked, **times, "HyperParameterTuningJobStatus": "Completed"}
    (tmp_path / "job.json").write_text(json.dumps(described))
    (tmp_path / "list.json").write_text(json.dumps({"TrainingJobSummaries": rows}))
    record, _ = from_aws(tmp_path / "job.json", [tmp_path / "list.json"])
    with Home(tmp_path / "home") as home:
        home.service.take_over(record)
        found = home.service.history("two")
    assert [(j.definition, j.hyperparameters, j.objective) for j in found.jobs] == [
        (j.definition, j.hyperparameters, j.objective) for j in past.jobs
    ]
    assert found.incumbent.definition == "b"


def test_a_job_begins_with_a_study_under_its_own_metric(tmp_path):
    import alfine

    with optuna_storage(f"sqlite:///{tmp_path}/s.db") as (optuna, storage):
        study = optuna.create_study(storage=storage, study_name="earlier")
        for x, kind, loss in ((0.3, "b", 0.1), (0.9, "a", 2.0), (0.1, "b", 0.4), (0.6, "a", 1.0)):
            study.enqueue_trial({"x": x, "kind": kind})
            trial = study.ask(
                {
                    "x": optuna.distributions.FloatDistribution(0, 1),
                    "kind": optuna.distributions.CategoricalDistribution(["a", "b"]),
                }
            )
            study.tell(trial, loss)
    space = {"x": alfine.Continuous(0, 1), "kind": alfine.Categorical(["a", "b"])}
    home, words = tmp_path / "home", {"warm_start": "earlier", "max_training_jobs": 2, "progress": False, "seed": 0}
    words["environment"] = {"MODE": "fast"}  # which no study has
    with Home(home) as opened:
        opened.service.take_over(from_optuna(f"sqlite:///{tmp_path}/s.db", metric="loss")[0])
    script = tmp_path / "train.py"
    script.write_text(
        "import sys\nwords = sys.argv\nx = float(words[words.index('--x') + 1])\nprint('loss=%s' % (abs(x - 0.3) + ('a' in words)))\n"
    )
    job = alfine.tune(script, space, metric="loss", home=home, **words)
    with Home(home) as opened:
        assert list(prior(opened.service.history(job.name))[1]) == [0.1, 2.0, 0.4, 1.0]
    assert job.best.hyperparameters["kind"] == "b"
