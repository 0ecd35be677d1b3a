"""A home that is damaged, lost, or can't be written: one sentence that says what to do, at each face."""

import shutil
import subprocess
import sys

import pytest

import alfine
from alfine.core.errors import InvalidSpec, StoreDamaged, StoreUnusable
from alfine.jobs.home import Home
from alfine.store.database_errors import damaged
from alfine.store.home_files import files_of_tuning_jobs
from alfine.store.sqlite_copy import copy_database
from alfine.store.store import Store
from tests.cli.conftest import alfine_cli
from tests.missing import need_sandbox
from tests.store.damage import damage, execute

SPACE = {"x": alfine.Continuous(0, 1)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    alfine.tune(lambda hp: hp["x"], SPACE, name="job", strategy="Random", max_training_jobs=3, home=home)
    return home


@pytest.fixture
def home(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "home")


def test_damaged_pages_are_one_sentence_that_says_what_to_do(home):
    damage(home, "tuning_jobs")
    for words in (["list"], ["describe", "job"], ["serve", "--port", "0"]):
        result = alfine_cli(home, *words)
        assert result.exit_code == 1
        assert (
            f"error: {home / 'alfine.db'}: the database is damaged: database disk image is malformed. Stop"
            in result.stderr
        )
        assert "`alfine doctor --check`" in result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
    with pytest.raises(StoreDamaged, match="alfine doctor --check"):
        alfine.attach("job", home=home)


def test_a_record_that_cannot_be_understood_is_told_with_its_tuning_job(home):
    execute(home, "UPDATE training_jobs SET hyperparameters = '{' WHERE number = 2")
    with pytest.raises(StoreDamaged, match="The record of the tuning job job can't be read: JSONDecodeError"):
        alfine.attach("job", home=home)
    execute(home, "UPDATE tuning_jobs SET request = CAST(x'fffefd' AS TEXT)")
    with pytest.raises(StoreDamaged, match="Could not decode to UTF-8"):
        alfine.attach("job", home=home)
    assert alfine_cli(home, "list").stderr.startswith("error: ")


@pytest.mark.parametrize("leave", [None, b""], ids=["missing", "emptied"])
def test_a_lost_database_beside_full_folders_is_no_empty_home(tmp_path, leave):
    (tmp_path / "tuning-jobs" / "mine" / "mine-001").mkdir(parents=True)
    if leave is not None:
        (tmp_path / "alfine.db").write_bytes(leave)
    for words in (["list"], ["describe", "mine"], ["serve", "--port", "0"]):
        result = alfine_cli(tmp_path, *words)
        assert result.exit_code == 1
        assert "the database is missing or empty, but" in result.stderr
        assert "(mine)" in result.stderr
    with pytest.raises(StoreDamaged, match="alfine restore"):
        alfine.attach("mine", home=tmp_path)


def test_a_home_that_cannot_be_written_is_named(home):
    need_sandbox()
    words = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--ro-bind", str(home), str(home)]
    read_only = [*words, sys.executable, "-m", "alfine", "--home", str(home), "list"]
    result = subprocess.run(read_only, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert (
        f"the database can't be opened: {home} can't be written. alfine writes in its home even when" in result.stderr
    )


def test_a_home_that_is_no_folder_is_refused_before_anything_runs(tmp_path):
    (file := tmp_path / "file").write_text("x")
    for home, why in ((file, "is a file"), (5, "5 isn't the path of a folder"), ("a\0b", "NUL")):
        with pytest.raises(InvalidSpec, match=rf"home: .*{why}"):
            alfine.tune(lambda hp: hp["x"], SPACE, max_training_jobs=1, home=home)
    with pytest.raises(StoreUnusable, match="file is no folder"):
        Home(file / "below")
    assert list(tmp_path.iterdir()) == [file]


def test_why_a_database_cannot_be_copied_is_said(tmp_path):
    away = tmp_path / "away" / "alfine.db"
    with pytest.raises(StoreUnusable, match="can't be copied to .*copy: unable to open database file"):
        copy_database(away, tmp_path / "copy")
    assert [*tmp_path.iterdir()] == []


def test_a_new_home_is_its_owners_alone(tmp_path):
    home = tmp_path / "new" / "home"
    Store.at(home).close()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_copy_takes_no_folders_place(home):
    (home / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        copy_database(home / "alfine.db", home / "folder")
    assert not [*home.glob(".folder*")]


def test_a_folder_without_training_jobs_has_no_files_of_them(tmp_path):
    assert [*files_of_tuning_jobs(tmp_path)] == []


def test_why_a_folder_cannot_be_a_home_is_said(tmp_path):
    with pytest.raises(InvalidSpec, match="home: .*x can't be a home: File name too long"):
        Home(tmp_path / ("x" * 300))
    with pytest.raises(StoreUnusable, match="can't be a home: No such file or directory. Choose another home."):
        Home("/proc/home")


def test_of_a_copy_that_cannot_be_made_nothing_is_left(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "bad.db").write_bytes(b"this was a database" * 1000)
    with pytest.raises(StoreDamaged):
        copy_database(tmp_path / "bad.db", tmp_path / "home/copy.db")
    assert list((tmp_path / "home").iterdir()) == []


def test_what_is_damaged_is_one_sentence_whatever_the_error_ends_with():
    assert [str(damaged(what)).partition(" Stop")[0] for what in ("It is bad", "It is bad.")] == ["It is bad."] * 2
