"""Strategies and completion criteria of other packages, by their entry points, as they are installed."""

import os
import subprocess
import sys

MODULE = """
from dataclasses import dataclass

from alfine.core.protocols import Suggestion
from alfine.core.verdict import Outlook, Verdict
from alfine.core.settings import put_setting


class Middle:
    @classmethod
    def from_spec(cls, spec):
        return cls()

    def ask(self, history):
        space = history.spec.space
        return Suggestion(hyperparameters=space.from_unit(space.to_unit(space.sample(history.rng())) * 0.0 + 0.5))


class Stubborn(Middle):
    def ask(self, history):
        raise KeyError("no idea")


@dataclass(frozen=True, slots=True)
class EnoughTried:
    count: int

    @classmethod
    def from_spec(cls, spec):
        text = spec.settings.get("EnoughTried")
        return None if text is None else cls(int(text))

    def check(self, history):
        met = history.ended >= self.count
        outlook = Outlook.STOP if met else Outlook.CONTINUE
        return Verdict(outlook=outlook, criterion="EnoughTried", sentence=f"{history.ended} have ended.")

    def to_request(self, request):
        put_setting(request, "EnoughTried", str(self.count))
"""

POINTS = """
[alfine.strategies]
Middle = middle:Middle
Stubborn = middle:Stubborn
[alfine.criteria]
EnoughTried = middle:EnoughTried
"""

PROGRAM = """
import alfine
from middle import EnoughTried

space = {"x": alfine.Continuous(0, 1)}
words = {"strategy": "Middle", "criteria": [EnoughTried(4), EnoughTried(3)], "start_with": {"x": 0.25}}
job = alfine.tune(lambda values: values["x"], space, progress=False, **words)
print([each.hyperparameters["x"] for each in job.training_jobs], job.verdict.criterion)
tuner = alfine.Tuner(space, **words)
while training_job := tuner.ask():
    tuner.tell(training_job, 1.0)
print(len(tuner.training_jobs), alfine.attach(job.name).replay("Steady(EnoughTried 1, times=2)").training_jobs)
tuner = alfine.Tuner(space, strategy="Random", criteria="EnoughTried 15", max_training_jobs=100)
for _ in range(12):
    tuner.tell(tuner.ask(), 1.0)
print(tuner.forecast().training_jobs)
job = alfine.tune(lambda values: 1.0, space, progress=False, strategy="Stubborn")
print(job.status, job.verdict.sentence)
try:
    alfine.tune(lambda values: 1.0, space, progress=False, criteria="EnoughTried abc")
except alfine.InvalidSpec as error:
    print(error)
try:
    alfine.Tuner(space, strategy="Midle")
except alfine.InvalidSpec as error:
    print(error)
"""


def test_installed_strategies_and_criteria_are_used_like_alfines_own(tmp_path):
    (tmp_path / "middle.py").write_text(MODULE)
    info = tmp_path / "middle-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: middle\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "ALFINE_HOME": str(tmp_path / "home")}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "[0.25, 0.5, 0.5] EnoughTried",
        "3 2",
        "(3.0, 3.0, 3.0)",
        "Failed alfine could not decide what to do next: KeyError: 'no idea'",
        "Tags.alfine:EnoughTried: 'abc' can't be read as the settings of EnoughTried: ValueError: invalid literal for int() with base 10: 'abc'.",
        "strategy: 'Midle' isn't one of Bayesian, Random, Grid, Hyperband, Middle, Stubborn.",
    ]
