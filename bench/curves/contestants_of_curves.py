"""The searches that are compared: `ask() -> (handle, configuration)`, `report(handle, count, value) -> stop?`, `tell(handle, value)`.

alfine through its Tuner; Optuna as its documentation says, with its own defaults and a seed.
"""

from __future__ import annotations

from curve_tasks import REPORTS


class Alfine:
    def __init__(self, space, seed, **words):
        import alfine

        self.choices = {p["name"]: {str(c): c for c in p["choices"]} for p in space if p["type"] == "cat"}
        self.tuner = alfine.Tuner({p["name"]: self._range(p) for p in space}, max_parallel=4, seed=seed, **words)

    def _range(self, p):
        import alfine

        if p["type"] == "cat":
            return alfine.Categorical([str(c) for c in p["choices"]])
        kind = alfine.Integer if p["type"] == "int" else alfine.Continuous
        return kind(p["low"], p["high"], scaling="Logarithmic" if p["log"] else "Linear")

    def ask(self):
        job = self.tuner.ask()
        if job is None:
            return None, None
        given = job.hyperparameters.items()
        return job.number, {k: self.choices[k][str(v)] if k in self.choices else v for k, v in given}

    def report(self, handle, count, value):
        return self.tuner.report(handle, count, value)

    def tell(self, handle, value, *, full):  # noqa: ARG002 - alfine knows what it stopped
        self.tuner.tell(handle, value)


class Optuna:
    def __init__(self, space, seed, sampler="TPESampler", pruner="NopPruner", **words):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.states = space, optuna.trial.TrialState
        self.study = optuna.create_study(
            sampler=getattr(optuna.samplers, sampler)(seed=seed), pruner=getattr(optuna.pruners, pruner)(**words)
        )

    def ask(self):
        trial, configuration = self.study.ask(), {}
        for p in self.space:
            if p["type"] == "cat":
                configuration[p["name"]] = trial.suggest_categorical(p["name"], p["choices"])
            else:
                suggest = trial.suggest_int if p["type"] == "int" else trial.suggest_float
                configuration[p["name"]] = suggest(p["name"], p["low"], p["high"], log=p["log"])
        return _Handle(trial), configuration

    def report(self, handle, count, value):
        handle.trial.report(value, count)
        return handle.trial.should_prune()

    def tell(self, handle, value, *, full):
        if full:
            self.study.tell(handle.trial, value)
        else:
            self.study.tell(handle.trial, state=self.states.PRUNED)


class _Handle:
    """Keeps a trial out of comparisons."""

    def __init__(self, trial):
        self.trial = trial


def _alfine(**words):
    return lambda space, seed: Alfine(space, seed, **words)


def _optuna(**words):
    return lambda space, seed: Optuna(space, seed, **words)


CONTESTANTS = {
    "alfine Bayesian, Auto": _alfine(early_stopping="Auto"),
    "alfine Hyperband": _alfine(strategy="Hyperband", max_resource=REPORTS),
    "alfine Bayesian": _alfine(),
    "alfine Random": _alfine(strategy="Random"),
    "alfine Random, Auto": _alfine(strategy="Random", early_stopping="Auto"),
    "Optuna TPE": _optuna(),
    "Optuna TPE + median": _optuna(pruner="MedianPruner"),
    "Optuna TPE + Hyperband": _optuna(pruner="HyperbandPruner", min_resource=1, max_resource=REPORTS),
    "Optuna random + ASHA": _optuna(sampler="RandomSampler", pruner="SuccessiveHalvingPruner"),
}
