"""What the pages show works: Python blocks run, job files and settings are read, commands and options are there."""

import json
import re
import shlex
import sys
import tomllib
from dataclasses import dataclass
from textwrap import dedent

import pytest
from click import Context, Group
from ruamel.yaml import YAML

from alfine.api.job_file import read_job_file
from alfine.cli import main
from alfine.store.config import Config
from tests.aws.conftest import Served
from tests.docs.running import ROOT, run, run_commands, run_programs
from tests.missing import package

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
WRITTEN = {"docs/reference/cli.md", "docs/reference/python.md"}  # by scripts, from what runs
TRIED_ELSEWHERE = {"docs/how-to/add-a-criterion.md", "docs/how-to/add-a-strategy.md", "docs/how-to/add-a-runner.md"}
ASKS_A_SERVER = "docs/reference/http.md"
WHEN_TO_STOP = "examples/when_to_stop/run.py"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"<!-- not run: .+ -->\n*$")


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


def programs():
    """Of each page, its Python blocks as one program."""
    found = {}
    for block in blocks("python"):
        if block.runs and block.page not in TRIED_ELSEWHERE | {"docs/tutorial/first-job.md", ASKS_A_SERVER}:
            found.setdefault(block.page, []).append(block.text)
    return {page: "\n".join(parts) for page, parts in found.items()}


PRINTED = {
    "README.md": r"training jobs",
    "examples/replay.py": r"ConvergenceDetected: \d+ training jobs",
    "examples/ask_tell.py": r"Best: training job \d+, rmse 5\d\.",
    "examples/sklearn_search.py": r"candidates: .+\nBest: .+ accuracy 0\.9\d+",
    "examples/function.py": r"Completed after \d+ training jobs",
    "examples/optuna_study.py": r"Stopped after \d\d of 100 trials: .+\nBest: rmse 5\d\.",
    "examples/xgboost_callback.py": r"\d+ of \d+ training jobs were stopped early",
    WHEN_TO_STOP: r"(?s)^\(a\) \w+.+^\(b\) \w+.+^\(c\) \w+",
}
"""What the README's program and those in examples/ print."""

FEWER = {
    "max_training_jobs=200": "max_training_jobs=12",
    "max_training_jobs=100": "max_training_jobs=20",
    "max_training_jobs=30": "max_training_jobs=8",
    '"times": 5': '"times": 2',
    "BUDGET = 100": "BUDGET = 40",
    "EPOCHS = 15": "EPOCHS = 5",
    "ROUNDS = 200": "ROUNDS = 60",
    "BestObjectiveNotImproving 25": "BestObjectiveNotImproving 10",
    '"MaxNumberOfTrainingJobs": 40': '"MaxNumberOfTrainingJobs": 14',
}
"""What the programs have less of when they are tested: what they show is the same, and they take half of the time."""


def with_fewer(program):
    for many, few in FEWER.items():
        program = program.replace(many, few)
    return program


def test_the_python_blocks_of_each_page_run_and_so_do_the_examples(tmp_path):
    for name in ("sklearn", "optuna", "xgboost"):
        package(name)
    texts = {name: (ROOT / name).read_text() for name in PRINTED} | programs()
    assert len(texts) > 10 + len(PRINTED)
    fewer = {name: with_fewer(program) for name, program in texts.items()}
    printed = run_programs(fewer, tmp_path, {WHEN_TO_STOP: ["--max-training-jobs", "3"]})
    others = {name: printed[name] for name in PRINTED if not re.search(PRINTED[name], printed[name], re.MULTILINE)}
    assert others == {}
    assert printed.keys() == texts.keys()
    pictures = {file.name for file in (tmp_path / WHEN_TO_STOP / "when-to-stop").glob("when-to-stop.*")}
    assert pictures == {"when-to-stop.html", "when-to-stop.png"}


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


def test_the_tutorial_can_be_followed(tmp_path):
    page = "docs/tutorial/first-job.md"
    (script,) = [block.text for block in blocks("python") if block.page == page]
    (job,) = [block.text for block in blocks("yaml") if block.page == page]
    (tmp_path / "train.py").write_text(script)
    (tmp_path / "job.yaml").write_text(job)
    commands = [words for block, words in LINES if block.page == page]
    assert len(commands) >= 8
    assert [words[1] for words in commands[:2]] == ["tune", "tune"]
    _, tuned, *_, replayed = run_commands([words[1:] for words in commands], tmp_path)
    assert "Completed by ConvergenceDetected" in tuned
    assert (tmp_path / "jobs.csv").read_text().startswith("number,name,status,objective")
    assert "BestObjectiveNotImproving 10" in replayed


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
    client = "examples/sagemaker_client.py"
    (program,) = [block.text for block in blocks("python") if block.page == ASKS_A_SERVER]
    texts = {client: with_fewer((ROOT / client).read_text()), ASKS_A_SERVER: program}
    printed = run_programs(texts, tmp_path, AWS_ENDPOINT_URL=served.url, **KEYS)
    assert re.search(r"Completed after \d+ training jobs\nbest loss 0\.2", printed[client])
    assert re.search(r"^\S+ Completed .+\.$", printed[ASKS_A_SERVER])


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
