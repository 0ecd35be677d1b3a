"""docs/how-to/repair-a-home.md: its commands get a really damaged home back."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

import alfine
from tests.cli.conftest import alfine_cli
from tests.missing import missing
from tests.store.damage import damage

PAGE = Path(__file__).parents[2] / "docs/how-to/repair-a-home.md"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A user's folder with a home, whose database has pages enough to lose some."""
    user = tmp_path_factory.mktemp("user")
    for name in ("my-job", "my-other-job"):
        space = {"x": alfine.Continuous(0, 1)}
        alfine.tune(
            lambda hp: hp["x"], space, name=name, strategy="Random", max_training_jobs=30, home=user / ".alfine"
        )
    return user


@pytest.fixture
def user(whole, tmp_path):
    if shutil.which("sqlite3") is None:
        missing("sqlite3", "apt-get install sqlite3")
    return shutil.copytree(whole, tmp_path / "user")


def steps(*beginnings):
    """The commands of the page that begin so, in its order."""
    lines = [
        line.strip()
        for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    return [line for line in lines if line.startswith(beginnings)]


def command(user, line):
    """What a command of alfine prints, which succeeds."""
    words = shlex.split(line.replace("~", str(user)))
    result = alfine_cli(user / ".alfine", *words[1:])
    assert result.exit_code == 0, result.output
    return result.stdout


def shell(user, *commands):
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(commands)],
        cwd=user,
        env={"HOME": str(user), "PATH": "/usr/bin:/bin", "TMPDIR": str(user)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_rows_that_can_be_read_come_back_from_a_damaged_database(user):
    damage(user / ".alfine", "metrics", "tags")
    assert alfine_cli(user / ".alfine", "doctor", "--check").exit_code == 1
    [copy], [dump] = steps("cp -a"), [line for line in steps("sqlite3 ~/damaged") if ".dump" in line]
    code, said = shell(user, copy, dump, *steps("rm -f", "sqlite3 ~/.alfine/alfine.db <"))
    assert code == 0, said
    [replay] = steps("alfine replay")
    assert "as good as the record" in command(user, replay)
    result = alfine_cli(user / ".alfine", "doctor", "--check")
    assert "metrics" not in result.stdout


def test_a_tuning_job_that_cannot_be_read_is_removed_and_the_other_one_stays(user):
    damage(user / ".alfine", "training_jobs")
    [copy], [dump] = steps("cp -a"), [line for line in steps("sqlite3 ~/damaged") if ".dump" in line]
    removing = steps('sqlite3 ~/.alfine/alfine.db "PRAGMA')
    code, said = shell(user, copy, dump, *steps("rm -f", "sqlite3 ~/.alfine/alfine.db <"))
    assert code == 0, said
    result = alfine_cli(user / ".alfine", "doctor", "--check")
    assert "record: tuning job my-job\n  " in result.stdout
    assert shell(user, *removing)[0] == 0
    assert "tuning job my-job" not in alfine_cli(user / ".alfine", "doctor", "--check").stdout


def test_damaged_indexes_are_made_again(user):
    index = "name = 'tuning_jobs_by_age'"
    aside = "PRAGMA writable_schema = ON; {}"
    database = user / ".alfine" / "alfine.db"
    for statements in (  # rows change behind the back of the index
        f"CREATE TABLE aside AS SELECT * FROM sqlite_master WHERE {index}; DELETE FROM sqlite_master WHERE {index}",
        "UPDATE tuning_jobs SET created_at = created_at + 1",
        "INSERT INTO sqlite_master SELECT * FROM aside; DROP TABLE aside",
    ):
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(aside.format(statements))
    assert alfine_cli(user / ".alfine", "doctor", "--check").exit_code == 1
    code, said = shell(user, *steps("sqlite3 ~/.alfine/alfine.db REINDEX"))
    assert code == 0, said
    assert alfine_cli(user / ".alfine", "doctor", "--check").exit_code == 0


def test_a_backup_takes_the_place_of_the_damaged_home(user):
    [backup] = steps("alfine backup")
    command(user, backup)
    damage(user / ".alfine", "tuning_jobs")
    elsewhere, forced = steps("alfine restore")
    for line in (elsewhere, forced, *steps("alfine replay")):
        command(user, line)
    assert "no problems found" in command(user, "alfine doctor --check")
