"""The docs site has every page once, its links lead somewhere, and its lists mean what GitHub shows; `make docs` builds it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDER = ROOT / "docs/site"


@pytest.fixture(scope="module")
def pages():
    sys.path.insert(0, str(BUILDER))
    try:
        import pages
    finally:
        sys.path.remove(str(BUILDER))
    return pages


@pytest.fixture(scope="module")
def site(pages):
    return pages.site()


def test_the_navigation_and_the_pages_are_the_same(pages, site):
    assert pages.missing(site, pages.navigation()) == {}
    del site.texts["glossary.md"]
    site.texts["how-to/forgotten.md"] = ""
    assert set(pages.missing(site, pages.navigation())) == {"glossary.md", "how-to/forgotten.md"}


def test_links_lead_to_places_of_the_site(pages):
    source = "[a](../architecture.md#words) [b](../../deploy/Dockerfile) `[c](../x.md)` [d](https://x.example/y.md) [e](#here)"
    wanted = "[a](../architecture.md#words) [b](../files/deploy/Dockerfile.md) `[c](../x.md)` [d](https://x.example/y.md) [e](#here)"
    assert pages._outside_code(source, "docs/how-to/any.md") == wanted
    assert pages._outside_code("[f](docs/glossary.md) [g](CHANGELOG.md)", "README.md") == (
        "[f](glossary.md) [g](project/changelog.md)"
    )


def test_what_belongs_to_a_list_item_is_indented_by_four_spaces_a_level(pages):
    source = "Text:\n1. one\n\n   ```sh\n   a\n     b\n   ```\n\n   - two\n     more\n   - three\n\nText\n- not code"
    wanted = "Text:\n\n1. one\n\n    ```sh\n    a\n      b\n    ```\n\n    - two\n        more\n    - three\n\nText\n\n- not code"
    assert pages.with_wide_lists(source) == wanted


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ('<a href="b.html#x">', ""),
        ('<a href="b.html#y">', "a.html: b.html#y names a heading that isn't there."),
        ('<a href="c.html">', "a.html: c.html leads nowhere."),
        ('<script src="https://cdn.example/x.js">', "a.html loads https://cdn.example/x.js from elsewhere."),
    ],
)
def test_a_broken_link_and_anything_from_another_site_is_a_fault(body, wrong, tmp_path):
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<h2 id="x">')
    program = "import check, pathlib, sys; print(*check.faults(pathlib.Path(sys.argv[1])), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=BUILDER, capture_output=True, text=True, check=True
    )
    assert re.sub(r"\n$", "", done.stdout) == wrong


def test_the_figures_of_the_page_on_criteria_are_those_of_the_record():
    """Its table says what bench/stopping measured, and its picture is what its script draws of that."""
    record = (ROOT / "bench/README.md").read_text().partition("<!-- stopping results:")[2].partition("30 of these")[0]
    measured = {row[0]: row[1:4] for row in rows(record)}
    page = {
        row[0]: row[1:4]
        for row in rows((ROOT / "docs/explanation/which-criterion.md").read_text())
        if len(row) == 4 and "%" in row[1]
    }
    assert len(page) == 10
    assert {name: [rounded(cell) for cell in measured[in_the_record(name)]] for name in page} == {
        name: [rounded(cell) for cell in cells] for name, cells in page.items()
    }
    program = (
        "import make_trade_off; "
        "assert all(file.read_text() == text for file, text in make_trade_off.pictures().items())"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT / "docs/images", check=True)


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line]


def rounded(cell):
    """A share in whole per cents: the page doesn't tell more of misses."""
    return round(float(cell.removesuffix(" %")))


def in_the_record(rule):
    """How bench/README.md calls a rule of the page."""
    words = rule.replace("`", "").replace(" (delta = 0.05)", " delta=0.05").removesuffix(" training jobs")
    words = re.sub(r"^ConvergenceDetected delta=", "ConvergenceDetected, δ = ", words)
    words = re.sub(r"^BestObjectiveNotImproving (\d+) strict=true$", r"patience \1", words)
    return re.sub(r"^BestObjectiveNotImproving (\d+)$", r"patience \1, 1 %", words)
