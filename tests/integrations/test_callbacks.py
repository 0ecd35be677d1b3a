"""alfine.callbacks in the real frameworks: under a Tuner, under alfine.tune, and in a script."""

import importlib
import re
import sys
from functools import partial

import numpy as np
import pytest

import alfine
from alfine.api.job_words import default_regex
from tests.missing import of_integration, package

X = np.random.default_rng(0).random((60, 3))
Y = X @ [3.0, 2.0, 1.0]
ROUNDS = 40


class Told:
    """Takes reports, and says after some of them that the training should end."""

    def __init__(self, most=1000):
        self.steps, self.values, self.most = [], [], most

    def __call__(self, step, value):
        self.steps.append(step)
        self.values.append(value)
        return len(self.steps) >= self.most


def with_xgboost(report=None, rate=0.1, **words):
    xgboost = package("xgboost")
    data = xgboost.DMatrix(X, Y)
    words = {"rounds": ROUNDS, **words}
    callback = alfine.callbacks.XGBoost(report, **words)
    found = {}
    settings = {"eta": rate, "max_depth": 2, "nthread": 1, "eval_metric": ["mae", "rmse"]}
    evaluations = [(data, "train"), (data, "valid")]
    model = xgboost.train(
        settings, data, ROUNDS, evals=evaluations, callbacks=[callback], evals_result=found, verbose_eval=False
    )
    return model.num_boosted_rounds(), found["valid"]["rmse"]


def with_lightgbm(report=None, rate=0.1, **words):
    lightgbm = package("lightgbm")
    data = lightgbm.Dataset(X, Y)
    found = {}
    settings = {
        "learning_rate": rate,
        "verbosity": -1,
        "num_threads": 1,
        "metric": ["l1", "rmse"],
        "min_data_in_leaf": 3,
    }
    callbacks = [alfine.callbacks.LightGBM(report, **words), lightgbm.record_evaluation(found)]
    model = lightgbm.train(settings, data, ROUNDS, valid_sets=[data], valid_names=["valid"], callbacks=callbacks)
    return model.current_iteration(), found["valid"]["rmse"]


def with_catboost(report=None, rate=0.1, **words):
    catboost = of_integration("catboost")
    model = catboost.CatBoostRegressor(
        iterations=ROUNDS, learning_rate=rate, depth=2, thread_count=1, allow_writing_files=False, verbose=False
    )
    words = {"rounds": ROUNDS, **words}
    model.fit(X, Y, eval_set=(X, Y), callbacks=[alfine.callbacks.CatBoost(report, **words)])
    return model.tree_count_, model.get_evals_result()["validation"]["RMSE"]


def with_keras(report=None, rate=0.1, *, fit=None, **words):
    keras = of_integration("keras")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"])
    callbacks = [alfine.callbacks.Keras(report, **words)]
    settings = {"epochs": ROUNDS, "validation_data": (X, Y), "verbose": 0, **(fit or {})}
    curve = model.fit(X, Y, batch_size=60, callbacks=callbacks, **settings).history
    return len(curve["loss"]), curve.get("val_loss")


def with_lightning(report=None, rate=0.1, *, trainer=None, **words):
    of_integration("pytorch_lightning")
    from tests.integrations.lightning_model import fit

    return fit(X, Y, rate, [alfine.callbacks.Lightning(report, **words)], {"max_epochs": ROUNDS, **(trainer or {})})


def with_huggingface(report=None, rate=0.1, *, settings=None, **words):
    of_integration("transformers")
    from tests.integrations.huggingface_model import fit

    return fit(
        X, Y, rate, [alfine.callbacks.HuggingFace(report, **words)], {"num_train_epochs": ROUNDS, **(settings or {})}
    )


BOOSTED = [with_xgboost, with_lightgbm, with_catboost]
NEURAL = {with_keras: "keras", with_lightning: "pytorch_lightning", with_huggingface: "transformers"}
OF_DEV = {with_xgboost: "xgboost", with_lightgbm: "lightgbm"}
FRAMEWORKS = pytest.mark.parametrize("train", [*BOOSTED, *NEURAL])
pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks


@FRAMEWORKS
def test_twenty_reports_say_how_a_training_goes(train):
    told = Told()
    rounds, curve = train(told)
    assert rounds == ROUNDS
    assert told.steps == [*range(2, ROUNDS + 1, 2)]
    assert told.values == pytest.approx([curve[step - 1] for step in told.steps])


@FRAMEWORKS
def test_it_ends_when_told_and_reports_nothing_more(train):
    told = Told(most=3)
    rounds, curve = train(told, every=4)
    assert told.steps == [4, 8, 12]
    assert rounds == 12
    assert told.values[-1] == pytest.approx(curve[11])


@FRAMEWORKS
def test_in_a_script_the_log_has_the_metric_where_alfine_finds_it(train, capsys):
    train(every=15)
    lines = [line for line in capsys.readouterr().out.splitlines() if "=" in line]
    assert len(lines) == 3, "the 15th and the 30th round, and the last one"
    name = lines[0].partition("=")[0]
    assert name in ("rmse", "RMSE", "val_loss", "eval_loss")
    assert all(re.search(default_regex(name), line) for line in lines)


@FRAMEWORKS
def test_an_unknown_metric_is_named(train):
    with pytest.raises(Exception, match=r"there is no auc to report. There is: .+\w"):  # CatBoost wraps what is raised
        train(Told(), metric="auc")


@pytest.mark.parametrize("train", BOOSTED)
def test_a_data_set_is_chosen_and_unknown_ones_are_named(train):
    with pytest.raises(Exception, match="there is no metric of test to report"):  # CatBoost wraps what is raised
        train(Told(), data="test")


@pytest.mark.parametrize("train", [*OF_DEV, *NEURAL])
def test_under_tune_weak_training_jobs_are_stopped_and_none_fails(train, tmp_path):
    if train in OF_DEV:  # a skip within a training job would be its failure
        package(OF_DEV[train])
    else:
        of_integration(NEURAL[train])

    def objective(hyperparameters, report):
        return train(report, hyperparameters["rate"])[1][-1]

    job = alfine.tune(
        objective,
        {"rate": alfine.Continuous(0.01, 0.5)},
        strategy="Hyperband",
        max_resource=20,
        max_training_jobs=8,
        home=tmp_path,
        seed=1,
        progress=False,
    )
    statuses = {training_job.status for training_job in job.training_jobs}
    assert statuses == {"Stopped"}, "each was stopped, at max_resource at the latest"
    reports = {len(training_job.reports) for training_job in job.training_jobs}
    assert min(reports) < max(reports) == 21, "20 on the way, and what the function returns"


def test_a_tuner_takes_the_reports_of_a_cross_validation():
    xgboost = package("xgboost")
    tuner = alfine.Tuner({"eta": alfine.Continuous(0.01, 0.5)})
    job = tuner.ask()
    callback = alfine.callbacks.XGBoost(partial(tuner.report, job), every=5)
    xgboost.cv({"nthread": 1, **job.hyperparameters}, xgboost.DMatrix(X, Y), 10, nfold=2, callbacks=[callback])
    assert [report.step for report in job.reports] == [5, 10]


def test_estimators_and_a_loop_of_ones_own_report_too():
    xgboost, told = package("xgboost"), Told()
    model = xgboost.XGBRegressor(n_estimators=7, callbacks=[alfine.callbacks.XGBoost(told)], n_jobs=1)
    model.fit(X, Y, eval_set=[(X, Y)], verbose=False)
    assert told.steps == [5, 7], "every 5 rounds where their number isn't known, and the last"
    told = Told(most=2)
    reporter = alfine.callbacks.Reporter(told, every=2)
    assert [reporter(step, 1 / step) for step in range(1, 7)] == [False, False, False, True, True, True]
    assert told.steps == [2, 4]


def test_bad_input_gets_a_sentence(monkeypatch):
    with pytest.raises(alfine.AlfineError, match="report: 3 must be a function of a step and a value"):
        alfine.callbacks.Reporter(3)
    with pytest.raises(alfine.AlfineError, match="every: 0 must be a whole number from 1 on"):
        alfine.callbacks.CatBoost(every=0)
    with pytest.raises(
        AttributeError, match="It has CatBoost, HuggingFace, Keras, LightGBM, Lightning, Reporter, XGBoost"
    ):
        _ = alfine.callbacks.Torch
    xgboost = package("xgboost")
    with pytest.raises(alfine.AlfineError, match="there is no metric to report. Give XGBoost data to evaluate on"):
        xgboost.train({"nthread": 1}, xgboost.DMatrix(X, Y), 2, callbacks=[alfine.callbacks.XGBoost()])


@pytest.mark.parametrize(
    ("module", "packages", "remedy"),
    [
        ("xgboost", ["xgboost"], "pip install xgboost"),
        ("lightgbm", ["lightgbm"], "pip install lightgbm"),
        ("keras", ["keras"], "pip install keras, and one of its backends"),
        ("lightning", ["lightning", "pytorch_lightning"], "pip install lightning"),
        ("huggingface", ["accelerate", "transformers"], r"pip install 'transformers\[torch\]'"),
        ("hydra", ["hydra.core.config_store"], "pip install hydra-core"),
    ],
)
def test_a_missing_framework_is_named(module, packages, remedy, monkeypatch):
    for package_ in packages:
        monkeypatch.setitem(sys.modules, package_, None)
    monkeypatch.delitem(sys.modules, f"alfine.integrations.{module}", raising=False)
    with pytest.raises(alfine.MissingExtra, match=remedy):
        importlib.import_module(f"alfine.integrations.{module}")
