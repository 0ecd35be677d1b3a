"""docs/architecture.md says what is so: its picture has the rooms that there are, its laws their tests, its paths lead somewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/alfine"
PAGE = ROOT / "docs/architecture.md"
PROSE = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("bench/**/*.md")]
)
TEXT_PATH = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|md|toml))(?:::\w+)?`")


@pytest.fixture(scope="module")
def house():
    """docs/measure_house.py, and the house that it sees."""
    found = importlib.util.spec_from_file_location("measure_house", ROOT / "docs/measure_house.py")
    module = importlib.util.module_from_spec(found)
    sys.modules["measure_house"] = module
    found.loader.exec_module(module)
    return module, module.House.of(ROOT)


def picture():
    """{room: floor} as the page draws them, and all that is written behind each."""
    (drawn,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    rows = [re.match(r"(\d)  (\w+)\s+(.+)", line).groups() for line in drawn.splitlines()]
    return {room: int(floor) for floor, room, _ in rows}, {room: words for _, room, words in rows}


def test_the_picture_has_the_rooms_and_floors_that_import_linter_holds(house):
    _, seen = house
    assert picture()[0] == seen.floor


def test_the_picture_has_every_room_and_every_room_in_a_room(house):
    _, seen = house
    floors, words = picture()
    packages = {file.parent.relative_to(PACKAGE) for file in PACKAGE.glob("*/**/__init__.py")}
    assert {str(package) for package in packages if len(package.parts) == 1} == set(floors)
    inner = {str(package) for package in packages if len(package.parts) == 2} | {"store/migrations"}
    named = {path for text in words.values() for path in re.findall(r"\b(\w+/\w+)\b", text)}
    assert named <= inner
    assert {path for path in inner if path not in named} == set()
    assert seen.rooms - set(seen.loose) == set(floors)


def test_every_test_of_a_law_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) >= 8
    for file, name in named:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_of_the_repository_leads_somewhere(page):
    """As from the root, from the package, from the page's folder, or from the benchmarks'."""
    for path in TEXT_PATH.findall(page.read_text()):
        starts = (ROOT, PACKAGE, page.parent, ROOT / "bench")
        is_example = page.parent.name == "how-to" and page.name.startswith("add-a-")
        assert is_example or any((start / path).exists() for start in starts), path


def test_a_house_is_measured(house):
    module, seen = house
    assert module.report(seen)["floors"] == "7"
    assert any(line.startswith("packages: ") for line in module.details(seen))
    assert module.circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == [["a", "b", "c"]]


def test_the_path_of_a_create_request_can_be_measured():
    command = [sys.executable, str(ROOT / "docs/measure_request.py")]
    measured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert measured.stdout.startswith("rooms entered: "), measured.stderr
    assert "climbs back up: " in measured.stdout
