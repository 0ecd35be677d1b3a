"""alfine.raytune with the real Ray Tune: its searcher's protocol without a cluster, and one experiment of each kind in a cluster."""

import re

import pytest

import alfine
from tests.docs.test_examples import EXAMPLES, run

tune = pytest.importorskip("ray.tune", reason="pip install 'ray[tune]'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def space_of():
    return {
        "fixed": 7,
        "model": {
            "rate": tune.loguniform(1e-4, 1),
            "layers": tune.randint(1, 4),
            "width": tune.quniform(8, 64, 8),
            "units": tune.qrandint(16, 64, 16),
            "kind": tune.choice(["a", "b", None]),
            "shape": tune.choice([(1, 2), [3]]),
        },
    }


def searching(**words):
    search = alfine.raytune.RaySearch(**words)
    assert search.set_search_properties("loss", "min", space_of())
    return search


def loss(config):
    return config["model"]["rate"] + config["model"]["layers"]


def test_it_suggests_in_rays_words_until_a_criterion_is_met(tmp_path):
    search = searching(criteria="BestObjectiveNotImproving 8", num_samples=50, seed=1)
    seen = []
    while (config := search.suggest(f"t{len(seen)}")) != search.FINISHED:
        model = config["model"]
        assert set(config) == {"model"}, "what is fixed is left to Ray"
        assert 1e-4 <= model["rate"] <= 1
        assert model["layers"] in (1, 2, 3), "randint leaves its end out"
        assert model["width"] in range(8, 65, 8)
        assert model["units"] in (16, 32, 48, 64), "qrandint has its end"
        assert model["kind"] in ("a", "b", None)
        assert model["shape"] in ((1, 2), [3])
        seen.append(config)
        search.on_trial_complete(f"t{len(seen) - 1}", {"loss": loss(config)})
        if len(seen) == 5:  # a search that was saved goes on in another process
            search.save(tmp_path / "s.pkl")
            search = alfine.raytune.RaySearch()
            search.restore(tmp_path / "s.pkl")
    assert 9 <= len(seen) < 50
    assert search.verdict.criterion == "BestObjectiveNotImproving"
    fresh = searching(criteria="BestObjectiveNotImproving 8", num_samples=50, seed=1)
    assert fresh.suggest("t0") == seen[0]


def test_failures_and_results_without_the_metric_count_as_failures():
    search = searching()
    search.suggest("a")
    search.suggest("b")
    search.on_trial_complete("a", None, error=True)
    search.on_trial_complete("b", {"accuracy": 1.0})
    search.on_trial_complete("b", {"loss": 1.0})
    search.on_trial_complete("unknown", {"loss": 1.0})
    jobs = search._running.tuner.training_jobs
    assert [job.failure_reason for job in jobs] == ["The trial failed in Ray.", "The trial has no finite loss."]


def test_the_stopper_ends_weak_trials_and_with_a_target_all_of_them():
    search = searching(early_stopping="Auto", criteria="TargetObjectiveMetricValue 0.001")
    stopper = search.stopper
    for number in range(10):
        search.suggest(f"t{number}")
        for step in range(1, 6):
            assert not stopper(f"t{number}", {"training_iteration": step, "loss": (2 - number / 10) / step})
        search.on_trial_complete(f"t{number}", {"training_iteration": 5, "loss": (2 - number / 10) / 5})
    search.suggest("weak")
    assert any(stopper("weak", {"training_iteration": step, "loss": 4.0}) for step in (1, 2, 3))
    search.on_trial_result("weak", {"training_iteration": 3, "loss": 4.0})
    assert len(search._running.tuner.training_jobs[-1].reports) <= 3, "each result counts once"
    assert not stopper.stop_all()
    search.on_trial_complete("weak", {"loss": 0.0001})
    assert stopper.stop_all()
    assert search.suggest("more") == search.FINISHED


def test_bad_input_gets_a_sentence():
    def begin(space, metric="loss", mode="min"):
        alfine.raytune.RaySearch().set_search_properties(metric, mode, space)

    with pytest.raises(ValueError, match="x: randn has no bounds that can be searched. Use tune.uniform"):
        begin({"x": tune.randn(0, 1)})
    with pytest.raises(ValueError, match="a/x: sample_from has no bounds"):
        begin({"a": {"x": tune.sample_from(lambda _: 1)}})
    with pytest.raises(ValueError, match="x: grid_search is for a grid of all combinations. Use tune.choice"):
        begin({"x": tune.grid_search([1, 2])})
    with pytest.raises(ValueError, match="the search space has no parameter to search"):
        begin({"x": 3})
    with pytest.raises(ValueError, match="metric: None and mode: None must be given"):
        begin({"x": tune.uniform(0, 1)}, None, None)
    with pytest.raises(alfine.InvalidSpec, match="'Convergence' isn't one. Did you mean"):
        alfine.raytune.RaySearch(criteria="Convergence")
    with pytest.raises(RuntimeError, match="give the experiment a param_space"):
        alfine.raytune.RaySearch().suggest("a")


def trainable(config):
    if config["x"] > 0.9:
        raise ValueError("too large")
    for step in (1, 2, 3):
        tune.report({"loss": (config["x"] - 0.3) ** 2 / step})


def test_an_experiment_in_a_cluster_ends_by_itself(tmp_path):
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        space = {"x": tune.uniform(0, 1)}
        search = alfine.raytune.RaySearch(criteria="BestObjectiveNotImproving 3", num_samples=40)
        config = tune.TuneConfig(metric="loss", mode="min", search_alg=search, num_samples=40, max_concurrent_trials=2)
        run = tune.RunConfig(storage_path=str(tmp_path / "a"), stop=search.stopper, verbose=0)
        results = tune.Tuner(trainable, param_space=space, tune_config=config, run_config=run).fit()
        assert 3 < len(results) < 40
        assert search.verdict.criterion == "BestObjectiveNotImproving"
        assert results.get_best_result().metrics["loss"] < 0.25
        stop = alfine.raytune.StopExperiment("loss", "min", space, "BestObjectiveNotImproving 3", num_samples=40)
        config = tune.TuneConfig(metric="loss", mode="min", num_samples=40, max_concurrent_trials=2)
        run = tune.RunConfig(storage_path=str(tmp_path / "b"), stop=stop, callbacks=[stop], verbose=0)
        results = tune.Tuner(trainable, param_space=space, tune_config=config, run_config=run).fit()
        assert stop.verdict.met
        assert 3 < len([result for result in results if result.metrics]) < 40
    finally:
        ray.shutdown()


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "local")  # else it joins whatever cluster runs on this machine
    assert re.search(r"\d+ of 60 trials: ", run(tmp_path, str(EXAMPLES / "ray_tune.py")))
