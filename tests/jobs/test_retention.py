"""Quotas refuse what a home must not take; retention removes what is old, and nothing else."""

import dataclasses
import json
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.cli import main
from alfine.core.errors import InvalidSpec, NotFound, QuotaExceeded
from alfine.jobs.check_home import check_home
from alfine.jobs.disk_usage import size_of
from alfine.jobs.home import Home
from alfine.jobs.retention import plan, prune
from alfine.server import housekeeping
from alfine.store.config import Config
from alfine.store.operating_settings import Retention
from tests.cli.conftest import until
from tests.store.damage import execute

OLD = Retention(older_than="30d")


@pytest.fixture
def script(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint('loss=' + sys.argv[-1])\nopen('big', 'w').write(100_000 * 'x')\n")
    return script


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as home:
        yield home


def create(home, script, name, **words):
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3, "max_parallel": 3, **words}
    home.service.create(job_request(name=name, space={"x": Continuous(0, 1)}, script=script, **words))


def run(home, script, name):
    create(home, script, name)
    home.engine().run(name)


def later(home, days=40):
    return home.clock() + timedelta(days=days)


def folders(home, name):
    """The training jobs' folders of a tuning job that have anything in them, by training job."""
    place = home.jobs_folder / name
    return {one.name for one in place.iterdir() if not one.name.startswith(".") and any(one.iterdir())}


def denied(_):
    raise PermissionError


def best(home, name):
    return home.service.describe(name)["BestTrainingJob"]["TrainingJobName"]


def test_old_files_go_and_the_best_the_records_and_running_jobs_stay(home, script, tmp_path, monkeypatch):
    run(home, script, "old")
    create(home, script, "going-on", max_training_jobs=9)
    going_on = home.engine().open("going-on")
    while len(home.service.training_jobs("going-on")) < 4:
        home.engine().step(going_on)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("")
    removed = sorted(folders(home, "old") - {best(home, "old")})
    (home.jobs_folder / "old" / removed[0] / "link").symlink_to(outside)
    before = folders(home, "going-on")
    planned = plan(home.store, home.jobs_folder, OLD, later(home))
    assert [removal.job.name for removal in planned.removals] == removed
    assert planned.size > 200_000
    assert plan(home.store, home.jobs_folder, OLD, home.clock()).removals == []
    assert len(folders(home, "old")) == 3
    pruned = prune(home.store, home.jobs_folder, OLD, later(home))
    assert (len(pruned.removals), pruned.kept_best, pruned.failures) == (2, 1, [])
    assert folders(home, "old") == {best(home, "old")}
    assert folders(home, "going-on") >= before
    assert (outside / "precious").exists()
    assert prune(home.store, home.jobs_folder, OLD, later(home)).removals == []
    with monkeypatch.context() as patch:  # what can't be looked at isn't taken to be empty: removing it tells why
        patch.setattr("os.scandir", denied)
        planned = plan(home.store, home.jobs_folder, OLD, later(home)).removals
    assert [removal.job.name for removal in planned] == removed
    assert len(home.service.training_jobs("old")) == 3
    assert [problem for problem in check_home(home.folder).problems if problem.kind == "folder"] == []
    home.service.request_stop("going-on")
    home.engine().close(going_on)
    home.engine().run("going-on")


def test_the_oldest_go_first_until_the_size_is_met_and_jobs_go_with_their_records(home, script):
    for name in ("first", "second"):
        run(home, script, name)
    whole = Retention(larger_than=f"{size_of(home.jobs_folder) - 1000} B", keep_best=False, what="jobs")
    pruned = prune(home.store, home.jobs_folder, whole, home.clock())
    assert {removal.job.tuning_job_name for removal in pruned.removals} == {"first"}
    with pytest.raises(NotFound):
        home.service.get("first")
    assert not (home.jobs_folder / "first").exists()
    assert len(folders(home, "second")) == 3
    folder = home.jobs_folder / "second" / best(home, "second")
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")
    everything = dataclasses.replace(OLD, keep_best=False)
    assert len(prune(home.store, home.jobs_folder, everything, later(home)).removals) == 2
    assert any((folder.parent / "elsewhere").iterdir())


def test_the_command_shows_before_it_removes(home, script):
    run(home, script, "old")
    words = ["--home", str(home.folder), "prune", "--larger-than", "1kB"]
    shown = CliRunner().invoke(main, [*words, "--dry-run"]).stdout
    assert re.fullmatch(
        r"old: 2 training jobs, (0\.\d MiB)\nIn all: 2 training jobs of 1 tuning job, \1\.\n"
        r"The best of their tuning jobs stay: 1 training job\.\n",
        shown,
    )
    assert len(folders(home, "old")) == 3
    assert "To remove them, give --yes." in CliRunner().invoke(main, words).stderr
    told = json.loads(CliRunner().invoke(main, [*words, "--yes", "--json"]).stdout)
    assert (told["BestKept"], len(told["TrainingJobs"]), told["DryRun"]) == (1, 2, False)
    assert folders(home, "old") == {best(home, "old")}
    nothing = CliRunner().invoke(main, ["--home", str(home.folder), "prune", "--yes"])
    assert "Say what is old: --older-than 30d" in nothing.stderr
    odd = CliRunner().invoke(main, ["--home", str(home.folder), "prune", "--older-than", "a month"])
    assert "'a month' is no time span. Write it as 30d, 12h or 4w." in odd.stderr.replace("\n", " ")


def test_a_server_goes_on_when_it_cannot_remove_what_is_old(home, script, monkeypatch, caplog):
    run(home, script, "old")
    monkeypatch.setattr(housekeeping, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.02)
    execute(home.folder, "ALTER TABLE tuning_jobs RENAME TO lost")
    keeper = housekeeping.Housekeeping(home.store, home.jobs_folder, OLD, lambda: later(home))
    keeper.start()
    until(lambda: "can't remove what is old" in caplog.text, "logged")
    execute(home.folder, "ALTER TABLE lost RENAME TO tuning_jobs")
    until(lambda: folders(home, "old") == {best(home, "old")}, "removed")
    keeper.leave()


@pytest.mark.usefixtures("each_database")
def test_quotas_count_what_may_run_at_once_and_the_disk(tmp_path, script):
    (tmp_path / "alfine.toml").write_text("[limits]\nparallel_training_jobs = 5\n")
    with Home(tmp_path) as home:
        create(home, script, "first", max_parallel=3)
        with pytest.raises(QuotaExceeded, match="is 5, with current utilization of 3 and a request delta of 3"):
            create(home, script, "second", max_parallel=3)
        create(home, script, "third", max_parallel=2)
        with pytest.raises(QuotaExceeded, match="utilization of 5 and a request delta of 1"):
            home.service.change("first", max_parallel=4)
        home.service.change("first", max_parallel=2)
        home.store.finish("third", "Stopped", home.clock())
        create(home, script, "fourth", max_parallel=3)
        assert [job.name for job in home.store.list()] == ["first", "third", "fourth"]
    (tmp_path / "alfine.toml").write_text('[limits]\ndisk = "1 kB"\n')
    with Home(tmp_path) as home, pytest.raises(QuotaExceeded, match=r"'disk of the home' is 0.0 MiB.*alfine prune"):
        create(home, script, "fifth")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[limits]\nparallel_training_jobs = -1", "-1 must be a whole number from 1 on; 0 sets no limit."),
        ('[limits]\ndisk = "much"', "'much' is no size. Write it as 500 GB, 20 GiB or 2 TB."),
        ('[retention]\nolder_than = "30"', "'30' is no time span. Write it as 30d, 12h or 4w."),
        ('[retention]\nolder_than = "9999999w"', "is more than a century."),
        ('[retention]\nwhat = "all"', "'all' isn't one of files, jobs."),
    ],
)
def test_a_setting_that_cannot_be_met_is_one_clear_error(tmp_path, text, why):
    (tmp_path / "alfine.toml").write_text(text)
    with pytest.raises(InvalidSpec) as error:
        Config.at(tmp_path)
    assert why in str(error.value)
