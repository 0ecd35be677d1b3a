"""alfine in Optuna's studies: StopWhen, Sampler and Pruner with the real library, in threads and processes."""

import importlib
import multiprocessing
import pickle
import sys
from datetime import timedelta

import pytest

import alfine
from tests.missing import package
from tests.optuna_studies import optuna_storage

optuna = package("optuna")


@pytest.fixture(autouse=True)
def _quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def at_random(**words):
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1), **words)


def parabola(trial):
    return (trial.suggest_float("x", -1, 1) - 0.3) ** 2


def tree(trial):
    """A define-by-run space three levels deep, with categories that only their types tell apart."""
    kind = trial.suggest_categorical("kind", ["a", None, 1, "1"])
    rate = trial.suggest_float("rate", 1e-4, 1, log=True)
    if kind == "a":
        return rate + abs(trial.suggest_float("momentum", 0, 1, step=0.25) - 0.5)
    layers = trial.suggest_int("layers", 1, 4)
    return rate + 1 + (trial.suggest_int("width", 8, 64, step=8) / 64 if layers > 2 else 0.5)


def test_a_study_stops_with_a_sentence_that_a_fresh_callback_says_too():
    study = at_random(direction="maximize")
    stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 5", n_trials=100)
    assert not stop.met(study)
    study.optimize(lambda trial: -parabola(trial), n_trials=100, callbacks=[stop])
    assert 5 < len(study.trials) < 50
    assert stop.verdict.met
    assert stop.verdict.criterion == "BestObjectiveNotImproving"
    fresh = alfine.optuna.StopWhen("BestObjectiveNotImproving 5", n_trials=100)
    assert fresh.met(study)
    assert fresh.verdict.as_dict() == stop.verdict.as_dict()
    again = pickle.loads(pickle.dumps(stop))
    assert again.judge(study).as_dict() == stop.verdict.as_dict()


def test_the_search_and_the_criterion_together_end_a_study_of_a_define_by_run_space():
    study = optuna.create_study(sampler=alfine.optuna.Sampler(seed=3))
    stop = alfine.optuna.StopWhen(n_trials=40)
    study.optimize(tree, n_trials=40, callbacks=[stop])
    assert len(study.trials) < 40
    assert study.best_value < 0.3
    assert stop.verdict.criterion == "ConvergenceDetected"
    assert alfine.optuna.StopWhen(n_trials=40).judge(study).sentence == stop.verdict.sentence
    assert stop.forecast(study).gain is not None
    suggested = [trial.system_attrs["alfine:suggested"].keys() for trial in study.trials[-8:]]
    asked = [trial.params.keys() for trial in study.trials[-8:]]
    assert suggested == asked, "the tree is known: what is suggested is what the objective asks for"


def test_a_trial_of_long_ago_that_comes_late_counts_where_it_ended():
    study = at_random()
    stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 4")
    study.optimize(parabola, n_trials=6)
    stop.judge(study)
    first = study.trials[0]
    late = optuna.trial.create_trial(value=-1.0, params=first.params, distributions=first.distributions)
    late.datetime_start = late.datetime_complete = first.datetime_start - timedelta(hours=1)
    study.add_trial(late)
    assert stop.met(study), "the best trial is followed by six that don't improve"
    assert alfine.optuna.StopWhen("BestObjectiveNotImproving 4").judge(study).as_dict() == stop.verdict.as_dict()


def in_a_process(url, number):
    with optuna_storage(url) as (_, storage):
        study = optuna.load_study(study_name="s", storage=storage, sampler=alfine.optuna.Sampler(seed=number))
        stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 5")
        while not stop.met(study):
            study.optimize(parabola, n_trials=1)


def test_three_processes_on_one_storage_agree_and_hardly_try_the_same(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with optuna_storage(url) as (_, storage):
        study = optuna.create_study(study_name="s", storage=storage)
        study.optimize(parabola, n_trials=1)
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=in_a_process, args=(url, 0)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        trials = study.trials
        stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 5")
        assert stop.met(study)
        # Processes that ask in the same instant don't see each other's suggestion yet.
        assert len({trial.params["x"] for trial in trials}) >= len(trials) - 2
        met_after = alfine.optuna.StopWhen("BestObjectiveNotImproving 5")
        ended = sorted(trials, key=lambda trial: trial.datetime_complete)
        part = optuna.create_study()
        part.add_trials(ended[:-3])
        assert not met_after.met(part) or len(ended) < 4, "all of them ended within two trials"


def test_threads_with_failing_and_pruned_trials_go_on():
    def objective(trial):
        x = trial.suggest_float("x", -1, 1)
        if trial.number % 5 == 1:
            raise ValueError("it broke before the next parameter")
        y = trial.suggest_int("y", 1, 8)
        trial.report(x * x, 1)
        if trial.number % 5 == 2:
            raise optuna.TrialPruned
        return x * x + y

    study = optuna.create_study(sampler=alfine.optuna.Sampler(seed=0), pruner=alfine.optuna.Pruner())
    stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 90", n_trials=24)
    study.optimize(objective, n_trials=24, n_jobs=4, callbacks=[stop], catch=ValueError)
    states = [trial.state.name for trial in study.trials]
    assert (states.count("FAIL"), states.count("PRUNED")) == (5, 5)
    assert stop.judge(study).evidence
    assert study.best_params["y"] <= 2
    whole = [tuple(trial.params.values()) for trial in study.trials if len(trial.params) == 2]
    assert len({*whole}) == len(whole) == 19


def test_a_space_that_grows_and_ranges_that_change_are_followed():
    study = optuna.create_study(sampler=alfine.optuna.Sampler(seed=1))
    stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 90")
    study.optimize(parabola, n_trials=8, callbacks=[stop])

    def grown(trial):
        y = trial.suggest_int("y", 1, 100, log=True)
        kind = trial.suggest_categorical("kind", [0.5, "a"])
        return (trial.suggest_float("x", 0.5, 3) - 2) ** 2 + y + (kind == "a")

    study.optimize(grown, n_trials=16, callbacks=[stop])
    last = study.trials[-5:]
    assert all(set(trial.params) == {"x", "y", "kind"} for trial in last)
    assert min(trial.value for trial in last) < 3
    assert stop.verdict.sentence == alfine.optuna.StopWhen("BestObjectiveNotImproving 90").judge(study).sentence


def test_a_trial_that_violates_a_constraint_counts_as_a_failure():
    study = at_random()
    for number in range(8):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        constraint = [x - 0.5] if number % 2 else x - 0.5
        name = "constraints" if number % 2 else "constraints:room"  # as Optuna keeps one function's, and named ones
        trial.storage.set_trial_system_attr(trial._trial_id, name, constraint)
        study.tell(trial, -x)
    stop = alfine.optuna.StopWhen("TargetObjectiveMetricValue -0.51")
    assert not stop.met(study)
    assert study.trials_dataframe()["value"].min() < -0.51


def test_hopeless_trials_are_pruned_and_the_best_is_not():
    study = at_random(pruner=alfine.optuna.Pruner())

    def objective(trial):
        height = trial.suggest_float("height", 1, 2)
        for step in range(1, 6):
            trial.report(height / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return height / 5

    study.optimize(objective, n_trials=12)
    assert all(trial.state.name == "COMPLETE" for trial in study.trials[:3]), "it learns from three complete curves"
    assert {trial.state.name for trial in study.trials[3:]} == {"COMPLETE", "PRUNED"}
    assert min(study.trials, key=lambda trial: trial.params["height"]).state.name == "COMPLETE"


def test_many_parameters_none_and_an_empty_study_are_taken():
    study = optuna.create_study(sampler=alfine.optuna.Sampler())
    stop = alfine.optuna.StopWhen("BestObjectiveNotImproving 3")
    study.optimize(lambda trial: sum(trial.suggest_float(f"x{i}", 0, 1) for i in range(33)), n_trials=4)
    assert len(study.trials[-1].system_attrs["alfine:suggested"]) == 30
    stop.judge(study)
    bare = optuna.create_study()
    assert stop.judge(bare).met is False
    bare.optimize(lambda _: 1.0, n_trials=9, callbacks=[stop])
    assert len(bare.trials) == 4
    pickle.loads(pickle.dumps(study.sampler))


def test_bad_input_gets_a_sentence():
    with pytest.raises(alfine.InvalidSpec, match="'Convergence' isn't one. Did you mean"):
        alfine.optuna.StopWhen("Convergence")
    with pytest.raises(alfine.InvalidSpec, match="max_training_jobs: 0 must be a whole number from 1 on"):
        alfine.optuna.StopWhen(n_trials=0)
    with pytest.raises(alfine.AlfineError, match="seed: 1.5 must be a whole number"):
        alfine.optuna.Sampler(seed=1.5)
    several = optuna.create_study(directions=["minimize", "maximize"])
    with pytest.raises(ValueError, match="alfine knows one objective, and this study has 2"):
        alfine.optuna.StopWhen().met(several)


def test_optuna_is_imported_by_nobody_who_does_not_use_it(monkeypatch):
    assert "optuna" not in alfine.__all__
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "alfine.integrations.optuna")
    with pytest.raises(alfine.MissingExtra, match="pip install optuna"):
        importlib.import_module("alfine.integrations.optuna")
