"""Where alfine's criteria end the studies of Optuna, and what that saves and loses: on the held-out tasks of bench/search.

    python bench/studies/run.py              the held-out tasks; writes data/studies.jsonl and the tables of bench/README.md
    python bench/studies/run.py --seeds 1 --tasks branin_2d    some of them; writes nothing

A study of TPE runs its 200 trials. After each of them every rule is asked whether it would stop now, so that all rules judge the same
trials. alfine's search is asked on its own, until its criterion ends it. Optuna's regret bound and its EMMR evaluator need torch, and are
left out where that isn't installed; recorded studies are judged by rules that they lack, once the study has been repeated value by value.
«Lost» is what the best of the trials that would have run is worse than the best of all 200: in regret, where 0 is the best known and 1 the
median random configuration, and as the share of studies that lose more than 1 % of the value.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "search"))

from tasks import HELD_OUT, task  # noqa: E402 - bench/search/tasks.py

import alfine  # noqa: E402

TRIALS = 200
README, RESULTS = HERE.parent / "README.md", HERE / "data" / "studies.jsonl"
BEGIN, END = "<!-- studies: written by bench/studies/run.py -->", "<!-- end of studies -->"
CRITERIA = ("ConvergenceDetected", "ConvergenceDetected delta=0.1 cap=0.1", "BestObjectiveNotImproving 30")
FIXED = (50, 75, 100, 125)
OWN = "alfine.optuna.Sampler until ConvergenceDetected"
SLOW = ("Optuna's regret bound is below 1 %", "Optuna's EMMR is small")
EVERY = 10
"""Trials between two questions to a slow rule: each fits a Gaussian process, which takes about a second."""


def suggested(trial, space):
    """Ask a trial for a configuration of a task's space."""
    configuration = {}
    for p in space:
        if p["type"] == "cat":
            configuration[p["name"]] = trial.suggest_categorical(p["name"], p["choices"])
        else:
            suggest = trial.suggest_int if p["type"] == "int" else trial.suggest_float
            configuration[p["name"]] = suggest(p["name"], p["low"], p["high"], log=p["log"])
    return configuration


def rules():
    """The rules by name: each takes a study and says whether it would stop."""
    found = {text: alfine.optuna.StopWhen(text, n_trials=TRIALS).met for text in CRITERIA}
    from optuna import terminator

    stagnation = terminator.BestValueStagnationEvaluator(30)
    found["Optuna, best value stagnates for 30"] = terminator.Terminator(stagnation).should_terminate
    if find_spec("torch"):
        bound, emmr = terminator.RegretBoundEvaluator(), terminator.EMMREvaluator(seed=0)
        # Terminator() compares the bound with the error of cross-validation, which these objectives don't have.
        found[SLOW[0]] = lambda study: bound.evaluate(study.trials, study.direction) < 0.01 * abs(study.best_value)
        found[SLOW[1]] = terminator.Terminator(emmr, terminator.MedianErrorEvaluator(emmr)).should_terminate
    return found


def is_asked(name, number):
    """Whether a rule is asked after so many trials: slow ones after 20, 30, 40 …, as Optuna's have a first 20 trials by default."""
    return name not in SLOW or (number >= 2 * EVERY and number % EVERY == 0)


def of_tpe(problem, seed, asked):
    """A study of TPE: the value of each trial, after how many trials each of the rules would have stopped, and ms a trial."""
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    ends, values = {}, []
    spent = dict.fromkeys(["study", *asked], 0.0)
    for number in range(1, TRIALS + 1):
        before = time.process_time()
        trial = study.ask()
        configuration = suggested(trial, problem.space)
        values.append(problem.evaluate(configuration)[0])
        study.tell(trial, values[-1])
        spent["study"] += time.process_time() - before
        for name, rule in asked.items():
            if name not in ends and is_asked(name, number):
                before = time.process_time()
                if rule(study):
                    ends[name] = number
                spent[name] += time.process_time() - before
    ms = {name: 1000 * seconds / ends.get(name, TRIALS) for name, seconds in spent.items()}
    return {"values": values, "ends": ends, "ms": ms}


def judged_again(recorded, problem, asked):
    """A recorded study with further rules: the study is repeated, which must give the same values."""
    study = of_tpe(problem, recorded["seed"], asked)
    if not np.allclose(study["values"], recorded["tpe"]["values"], rtol=1e-6, atol=0):  # seven digits were recorded
        sys.exit(
            f"{recorded['task']}, seed {recorded['seed']}: the study has other values now. Remove it from {RESULTS}."
        )
    ends = {**recorded["tpe"]["ends"], **study["ends"]}
    ms = {**recorded["tpe"]["ms"], **{name: study["ms"][name] for name in asked}}
    return {**recorded, "tpe": {**recorded["tpe"], "ends": ends, "ms": ms}}


def of_alfine(problem, seed):
    """A study of alfine's search with its criterion."""
    import optuna

    study = optuna.create_study(sampler=alfine.optuna.Sampler(seed=seed))
    stop = alfine.optuna.StopWhen("ConvergenceDetected", n_trials=TRIALS)
    before = time.process_time()
    study.optimize(
        lambda trial: problem.evaluate(suggested(trial, problem.space))[0], n_trials=TRIALS, callbacks=[stop]
    )
    ms = 1000 * (time.process_time() - before) / len(study.trials)
    return {"values": [trial.value for trial in study.trials], "ms": ms}


def rows(results):
    """The table's rows: (study, share of the 200 trials, regret left, regret lost, studies that lose over 1 %, of how many)."""
    yield of_all("TPE, all 200 trials", results, TRIALS)
    for name in names_of(results):
        known = [each for each in results if name in each["tpe"]["ms"]]  # slow rules may know some of the studies only
        ends = [each["tpe"]["ends"].get(name, TRIALS) for each in known]
        ran = [each["tpe"]["values"][:n] for each, n in zip(known, ends, strict=True)]
        yield row(f"TPE until {name}", known, ran)
    for count in FIXED:
        yield of_all(f"TPE, always {count} trials", results, count)
    yield row(OWN, results, [each["alfine"]["values"] for each in results])


def names_of(results):
    """The names of the rules, in the order of the table."""
    return [*dict.fromkeys(name for each in results for name in each["tpe"]["ms"] if name != "study")]


def of_all(name, results, count):
    """The row of studies that all end after so many trials."""
    return row(name, results, [each["tpe"]["values"][:count] for each in results])


def row(name, results, ran):
    """The row of a table, of the values of the trials that ran in each study."""
    left, lost, worse = [], [], 0
    for each, values in zip(results, ran, strict=True):
        regret, best, whole = task(each["task"]).regret, min(values), min(each["tpe"]["values"])
        left.append(regret(best))
        lost.append(regret(best) - regret(whole))
        worse += best - whole > 0.01 * abs(whole)
    return name, np.mean([*map(len, ran)]) / TRIALS, np.mean(left), np.mean(lost), worse, len(ran)


def rendered(results):
    import optuna

    seeds = len({each["seed"] for each in results})
    spent = [each["tpe"]["ms"] for each in results]
    costs = {name: np.mean([ms[name] for ms in spent if name in ms]) for name in ("study", *names_of(results))}
    own = np.mean([each["alfine"]["ms"] for each in results])
    lines = [
        f"{len({each['task'] for each in results})} held-out tasks, {seeds} seeds, {len(results)} studies; "  # noqa: ISC004 - one line
        f"alfine {alfine.__version__}, optuna {optuna.__version__}.",
        "",
        "| study | trials run | regret left | regret lost | studies that lose over 1 % |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {run:.0%} | {left:.3f} | {lost:.3f} | {worse} of {count} |"
            for name, run, left, lost, worse, count in rows(results)
        ),
        "",
        "CPU ms a trial, the objective included: "
        + "; ".join(
            [f"TPE alone {costs['study']:.1f}"]
            + [f"{name} {cost:.1f} more" for name, cost in costs.items() if name != "study"]
            + [f"alfine.optuna.Sampler with ConvergenceDetected {own:.1f}"]
        )
        + ".",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tasks", nargs="*", default=None)
    parser.add_argument("--render", action="store_true", help="the tables again, from data/studies.jsonl")
    options = parser.parse_args()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    whole = options.tasks is None
    results = [json.loads(line) for line in RESULTS.read_text().splitlines()] if whole and RESULTS.exists() else []
    done = {(each["task"], each["seed"]): each for each in results}
    for seed in range(0 if options.render else options.seeds):
        for name in options.tasks or HELD_OUT:
            problem, recorded = task(name), done.get((name, seed))
            asked = {rule: ask for rule, ask in rules().items() if not recorded or rule not in recorded["tpe"]["ms"]}
            if recorded and not asked:
                continue
            if recorded:
                done[name, seed] = judged_again(recorded, problem, asked)
            else:
                tpe, own = of_tpe(problem, seed, asked), of_alfine(problem, seed)
                done[name, seed] = {"task": name, "seed": seed, "tpe": tpe, "alfine": own}
            results = [*done.values()]
            print(name, seed, done[name, seed]["tpe"]["ends"], len(done[name, seed]["alfine"]["values"]), flush=True)
            if whole:
                RESULTS.write_text("".join(json.dumps(each) + "\n" for each in results))
    print(rendered(results))
    if whole:
        text = README.read_text()
        head, rest = text.split(BEGIN)
        README.write_text(f"{head}{BEGIN}\n\n{rendered(results)}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    main()
