"""What the pages show works: Python blocks run, job files and settings are read, commands and options are there."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from click import Context, Group
from ruamel.yaml import YAML

from alfine.api.job_file import read_job_file
from alfine.cli import main
from alfine.store.config import Config
from tests.aws.conftest import Served

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
WRITTEN = {"docs/reference/cli.md", "docs/reference/python.md"}  # by scripts, from what runs
TRIED_ELSEWHERE = {"docs/how-to/add-a-criterion.md", "docs/how-to/add-a-strategy.md", "docs/how-to/add-a-runner.md"}
ASKS_A_SERVER = "docs/reference/http.md"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"<!-- not run: .+ -->\n*$")
PATIENCE_SECONDS = 120.0
FEWER = {"max_training_jobs=200": "max_training_jobs=12", '"times": 5': '"times": 2'}


@dataclass(frozen=True)
class Block:
    page: str
    number: int
    language: str
    text: str
    runs: bool  # False where the page says `<!-- not run: why -->` before it

    def __str__(self):
        return f"{self.page}:{self.number}"


def blocks(language=None):
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        text = page.read_text()
        for number, found in enumerate(FENCE.finditer(text), 1):
            if language in {found[2], None} and name not in WRITTEN:
                runs = NOT_RUN.search(text[: found.start()]) is None
                yield Block(name, number, found[2], dedent(found[3]), runs)


def environment(folder):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ALFINE_"))}
    return {**kept, "ALFINE_HOME": str(folder / "home")}


def run(words, folder, given=None, **settings):
    """Run a command in a folder and return what it printed; an error if it fails. `given` is its standard input."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**environment(folder), **settings},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def programs():
    """Of each page, its Python blocks as one program."""
    found = {}
    for block in blocks("python"):
        if block.runs and block.page not in TRIED_ELSEWHERE | {"docs/tutorial/first-job.md", ASKS_A_SERVER}:
            found.setdefault(block.page, []).append(block.text)
    return {page: "\n".join(parts) for page, parts in found.items()}


ONE_AFTER_THE_OTHER = """
import json, os, sys

for page, program in json.load(sys.stdin).items():
    print(page, flush=True)
    os.makedirs(page)
    os.chdir(page)
    sys.argv[1:] = []
    exec(compile(program, page, "exec"), {"__name__": "__main__"})
    os.chdir(os.environ["START"])
"""


def test_the_python_blocks_of_each_page_run(tmp_path):
    """In one process, since importing takes longer than most of them; what it printed ends with the page that failed."""
    texts = programs()
    for many, few in FEWER.items():
        texts = {page: program.replace(many, few) for page, program in texts.items()}
    assert len(texts) > 10
    printed = run([sys.executable, "-c", ONE_AFTER_THE_OTHER], tmp_path, given=json.dumps(texts), START=str(tmp_path))
    assert [line for line in printed.splitlines() if line in texts] == list(texts)


YAML_BLOCKS = [block for block in blocks("yaml") if block.runs]


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_a_job_file_on_a_page_is_read(block, tmp_path):
    """A part of one, such as `criteria:` alone, is read in a job that has the rest."""
    words = YAML(typ="safe", pure=True).load(block.text)
    parts = [words, *words.get("definitions", {}).values()]
    files = {"runs.csv", "data/train.csv", "train.sh", *(part["script"] for part in parts if "script" in part)}
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("lr,width,loss\n0.1,16,1\n" if name == "runs.csv" else "print()\n")
    rest = {
        "script: train.py": {"script", "command", "definitions"},
        "space: {x: {min: 0.0, max: 1.0}}": {"space", "definitions"},
    }
    missing = [line for line, keys in rest.items() if not keys & set(words)]
    (tmp_path / "train.py").touch()
    (tmp_path / "job.yaml").write_text("\n".join([block.text, *missing, "name: job" if "name" not in words else ""]))
    read_job_file(tmp_path / "job.yaml")


@pytest.mark.parametrize("block", list(blocks("toml")), ids=str)
def test_settings_on_a_page_are_read(block, tmp_path):
    tables = tomllib.loads(block.text)
    if set(tables) != {"project"}:  # entry points of a package of one's own
        (tmp_path / "alfine.toml").write_text(block.text)
        Config.at(tmp_path)


def test_each_block_is_of_a_language_that_a_test_runs_or_reads():
    """The others show what is printed (text, console), or are run elsewhere: test_languages.py."""
    known = {"python", "yaml", "toml", "json", "sh", "text", "console", "r", "julia", "dockerfile"}
    assert {str(block): block.language for block in blocks() if block.language not in known} == {}


@pytest.mark.parametrize("block", list(blocks("json")), ids=str)
def test_json_on_a_page_is_json(block):
    json.loads(block.text)


# -- commands ------------------------------------------------------------------------------------------------------------


def shell_lines():
    """(block, command) for each line of the shell blocks and of blocks that are indented, without comments."""
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield block, words
    for page in PAGES:
        if str(page.relative_to(ROOT)) in WRITTEN:
            continue
        for line in re.findall(r"^(?: {4}| {7})(alfine .+|make .+)$", page.read_text(), re.MULTILINE):
            yield Block(str(page.relative_to(ROOT)), 0, "sh", line, runs=True), shlex.split(line, comments=True)


LINES = [(block, words) for block, words in shell_lines() if words[0] in {"alfine", "make", "python"}]


@pytest.mark.parametrize(("block", "words"), LINES, ids=[f"{block}-{' '.join(words)}" for block, words in LINES])
def test_a_command_on_a_page_is_there_with_its_options(block, words):
    if words[0] == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "/" not in word and "=" not in word} <= targets
    elif words[0] == "python":
        assert words[1] in {"-m", "-c", "train.py"} or any(
            (start / words[1]).exists() for start in (ROOT, ROOT / "bench")
        ), words[1]
    else:
        assert_is_command(words[1:])


def assert_is_command(words):
    command = main
    while isinstance(command, Group):
        name = words[0]
        command = command.get_command(Context(command), name)
        assert command is not None, name
        words = words[1:]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert set(used) <= options | {"--help"}


# -- whole stories -------------------------------------------------------------------------------------------------------


EACH_COMMAND = """
import json, sys
from alfine.cli import main

for words in json.load(sys.stdin):
    main(words, standalone_mode=False)
"""
"""Runs commands that only read in one process: starting takes longer than what they do."""


def test_the_tutorial_can_be_followed(tmp_path):
    page = "docs/tutorial/first-job.md"
    (script,) = [block.text for block in blocks("python") if block.page == page]
    (job,) = [block.text for block in blocks("yaml") if block.page == page]
    (tmp_path / "train.py").write_text(script)
    (tmp_path / "job.yaml").write_text(job)
    commands = [words for block, words in LINES if block.page == page]
    assert len(commands) >= 8
    tuning, reading = commands[:2], commands[2:]
    assert [words[1] for words in tuning] == ["tune", "tune"]
    printed = [run([sys.executable, "-m", *words], tmp_path) for words in tuning]
    assert "Completed by ConvergenceDetected" in printed[1]
    lines = [words[1:] for words in reading]
    printed = run([sys.executable, "-c", EACH_COMMAND], tmp_path, given=json.dumps(lines))
    assert (tmp_path / "jobs.csv").read_text().startswith("number,name,status,objective")
    assert "BestObjectiveNotImproving 10" in printed


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


KEYS = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


def test_the_readmes_sagemaker_client_tunes_and_the_http_api_tells_of_it(served, tmp_path):
    client = [sys.executable, str(ROOT / "examples/sagemaker_client.py")]
    printed = run(client, tmp_path, AWS_ENDPOINT_URL=served.url, **KEYS)
    assert re.search(r"Completed after \d+ training jobs\nbest loss 0\.2", printed)
    (program,) = [block.text for block in blocks("python") if block.page == ASKS_A_SERVER]
    assert re.search(
        r"^\S+ Completed .+\.$", run([sys.executable, "-c", program], tmp_path, AWS_ENDPOINT_URL=served.url, **KEYS)
    )


def test_the_picture_is_what_its_script_draws():
    program = (
        "import make_picture; assert all(file.read_text() == text for file, text in make_picture.pictures().items())"
    )
    run([sys.executable, "-c", program], ROOT / "docs/images")


def test_the_tour_shows_the_job_of_its_pictures_and_each_picture():
    page = (ROOT / "docs/tutorial/tour.md").read_text()
    assert (ROOT / "docs/images/tour/diabetes.yaml").read_text() in page
    pictures = list(ROOT.glob("docs/images/tour-*.webp"))
    assert {picture.name for picture in pictures} == {*re.findall(r"tour-[a-z-]+\.webp", page)}
    assert max(picture.stat().st_size for picture in pictures) <= 150 * 1024
