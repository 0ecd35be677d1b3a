"""The console in a real browser: live, on a desktop and on a phone, by keyboard, without a complaint of the browser's."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import re
import urllib.request
from pathlib import Path

import pytest

from alfine import BestObjectiveNotImproving, Continuous, ConvergenceDetected, Integer
from alfine.api.job_words import job_request
from tests.aws.conftest import until
from tests.building import history, listed
from tests.cli.conftest import until as until_true
from tests.missing import missing
from tests.server.console.browser import Browser, found

NUMBERS = itertools.count(1)
DRAWN = ("/analysis", "compare?name=wide")
LONG_NAME = "one-that-fails-and-has-a-name-so"
SPACE = {"x": Continuous(0, 1), "n": Integer(1, 9)}
EPOCHS = """
import argparse, pathlib, time
p = argparse.ArgumentParser()
for name in ("x", "n", "go"): p.add_argument(f"--{name}")
a = p.parse_args()
for epoch in range(1, 6):
    print(f"epoch {epoch} loss={float(a.x) + 1 / epoch}", flush=True)
while not pathlib.Path(a.go).exists(): time.sleep(0.05)
print(f"the last loss={float(a.x)}", flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def a_browser() -> None:
    if found() is None:
        missing("chromium", "apt-get install chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def held(served, sagemaker, tmp_path):
    """A job whose training jobs wait for a file, and that file: (name, path)."""
    script, go, name = tmp_path / "train.py", tmp_path / "go", f"held-{next(NUMBERS)}"
    script.write_text(EPOCHS)
    request = job_request(
        name=name,
        space=SPACE,
        script=script,
        metric="loss",
        strategy="Random",
        static={"go": str(go)},
        max_training_jobs=6,
        max_parallel=2,
        criteria=[ConvergenceDetected(), BestObjectiveNotImproving(30)],
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    yield name, go
    go.touch()
    until(sagemaker, name)


def test_a_page_follows_its_job_to_the_end_without_a_reload_by_hand(browser, served, sagemaker, held):
    """Also if the last requests for what has changed are lost."""
    name, go = held
    browser.sized(1280)
    browser.open(f"{served.url}/console/tuning-jobs/{name}")
    browser.until("document.querySelectorAll('#training-jobs tbody tr[id]').length === 2")
    browser.until("!document.querySelector('#live').hidden")
    assert browser.read("document.querySelectorAll('.figure').length") == 0
    go.touch()
    browser.lose(f"{served.url}/console/tuning-jobs/{name}", 2, meanwhile=lambda: until(sagemaker, name))
    browser.until("document.querySelector('h1 .status')?.textContent === 'Completed'")
    dots = (
        browser.read("document.querySelectorAll('#curve .on-desktop a').length") - 1
    )  # the best has a mark of its own, too
    outside = re.search(r"(\d+) worse ones? (?:lies|lie) outside", browser.read("document.body.innerText"))
    assert dots + (int(outside[1]) if outside else 0) == 6
    assert browser.read("document.querySelector('.criterion .strong').textContent") == "ended the job"
    assert browser.read("document.body.innerText").count("MaxNumberOfTrainingJobs") >= 2
    assert browser.complaints == []


def test_the_list_and_a_log_grow_by_themselves(browser, served, sagemaker, held):
    name, go = held
    browser.sized(1280)
    browser.open(f"{served.url}/console/")
    browser.until(f"document.querySelector('#jobs')?.innerText.includes({name!r})")
    browser.until("document.querySelector('#jobs').innerText.includes('2 running')")
    # what the forecast expects, not a criterion that has come further: the forecast is made aside
    browser.until("document.querySelector('#jobs').innerText.includes('Most likely end: MaxNumberOfTrainingJobs (100')")
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    job = rows["TrainingJobSummaries"][0]["TrainingJobName"]
    browser.open(f"{served.url}/console/training-jobs/{job}")
    browser.until("document.querySelector('#log').textContent.includes('epoch 5')")
    browser.until("document.querySelectorAll('#metrics circle').length === 5")
    browser.fill("[name=find]", "EPOCH")
    browser.click(".log-tools form button")
    browser.until("document.querySelector('nav.pager')?.innerText.includes('Line 1 of 5')")
    browser.click("nav.pager a[rel=next]")
    browser.until("document.querySelector('#match')?.parentElement.textContent.includes('epoch 2')")
    browser.until("location.search.includes('at=') && document.querySelectorAll('#log mark').length === 5")
    assert (
        browser.until("!document.querySelector('#follow').hidden && document.querySelector('#follow').textContent")
        == "Pause"
    )
    browser.click("#follow")  # what comes now isn't shown before it is followed again
    go.touch()
    until(sagemaker, name)
    assert "the last loss" not in browser.read("document.querySelector('#log').textContent")
    browser.click("#follow")
    browser.until("document.querySelector('#log').textContent.includes('the last loss')")
    browser.open(f"{served.url}/console/training-jobs/{job}")
    browser.until("document.querySelectorAll('#metrics circle').length === 6")
    assert browser.read("document.querySelector('#log').textContent.match(/epoch/g).length") == 5
    browser.until("document.querySelector('h1 .status')?.textContent === 'Completed'")
    assert browser.complaints == []


def test_a_table_is_filtered_sorted_and_walked_through(browser, served, paths):
    browser.sized(1280)
    browser.open(f"{served.url}/console/tuning-jobs/wide/training-jobs")
    browser.fill("[name=filter]", "n>=5")
    browser.click(".table-filter button")
    browser.until("location.search.includes('filter=n') && document.readyState === 'complete'")
    cells = "[...document.querySelectorAll('#rows tr')].map((row) => row.cells[{}].textContent)"
    heads = browser.read("[...document.querySelectorAll('thead th')].map((head) => head.innerText.trim())")
    x, n = heads.index("x"), heads.index("n")
    shown = browser.read(cells.format(n))
    assert 0 < len(shown) < 12
    assert all(int(value) >= 5 for value in shown)
    browser.click(f"thead th:nth-child({x + 1}) a")
    browser.until("document.querySelector('th[aria-sort=ascending]')?.innerText.startsWith('x')")
    values = [float(value) for value in browser.read(cells.format(x))]
    assert values == sorted(values)
    assert len(values) == len(shown)
    browser.click("#rows tr:nth-child(2) a")
    browser.until(f"document.querySelector('.neighbours')?.innerText.includes('2 of {len(values)} by x, filtered')")
    browser.click(".neighbours a[rel=prev]")
    browser.until(f"document.querySelector('.neighbours').innerText.includes('1 of {len(values)} by x')")
    assert browser.read("document.querySelector('.neighbours a[rel=prev]')") is None
    browser.open(f"{served.url}/console/tuning-jobs/wide/training-jobs?filter=n%3E%3Dbig")
    assert "n >= big" in browser.read("document.querySelector('[role=alert]').innerText")
    assert browser.read("document.querySelector('[name=filter]').value") == "n>=big"
    assert browser.complaints == []


def test_a_form_changes_a_running_job_and_a_button_stops_it(browser, served, sagemaker, held):
    name, go = held
    browser.open(f"{served.url}/console/tuning-jobs/{name}")
    browser.click("a[href$='/change']")
    browser.until("!!document.querySelector('[name=max_training_jobs]')")
    browser.fill("[name=max_training_jobs]", "9")
    browser.fill("[name=patience]", "2")
    browser.click("button.primary")
    assert "from 3 on" in browser.until("document.querySelector('[role=alert]')?.innerText")
    assert browser.read("document.querySelector('[name=max_training_jobs]').value") == "9"
    browser.fill("[name=patience]", "12")
    browser.click("button.primary")
    browser.until(f"location.pathname === '/console/tuning-jobs/{name}'")
    assert "Maximum training jobs: 6 → 9" in browser.until("document.querySelector('#changes')?.innerText")
    limits = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert limits["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 9
    browser.click("#stop summary")
    browser.click("#stop button.danger")
    until(sagemaker, name, "Stopped", leaves=False)
    browser.until("document.querySelector('h1 .status')?.textContent === 'Stopped'")
    assert not go.exists()
    assert browser.complaints == []


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core; "" where it's missing."""
    found = importlib.util.find_spec("axe_core_python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8") if found and found.origin else ""


@pytest.fixture(scope="module")
def paths(served, sagemaker, script, tmp_path_factory):
    """Pages of a job that has ended, and the list of tuning jobs with one that left many words."""
    failing = tmp_path_factory.mktemp("code") / "train.py"
    failing.write_text("raise SystemExit(300 * 'y')")
    words = {"space": SPACE, "metric": "loss", "strategy": "Random"}
    for name, program, number in (("wide", script, 12), (LONG_NAME, failing, 1)):
        request = job_request(name=name, script=program, max_training_jobs=number, **words)
        sagemaker.create_hyper_parameter_tuning_job(**request)
    for name in ("wide", LONG_NAME):
        until(sagemaker, name)
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="wide")
    job = rows["TrainingJobSummaries"][0]["TrainingJobName"]
    of_job = ("", "/change", "/replay?criteria=", "/analysis", "/configuration", "/notes", "/training-jobs", "/history")
    others = ("", "sign-in", "nowhere", "compare?name=wide", "new", "new?clone=wide", "new/file")
    of_training_job = (f"training-jobs/{job}", f"training-jobs/{job}/log")
    return [f"/console/{path}" for path in (*others, *(f"tuning-jobs/wide{path}" for path in of_job), *of_training_job)]


def test_pages_fit_their_window_and_can_be_read(browser, served, paths, axe):
    """At no width and in no theme a page or a table is wider than its window, every text stands out from what is behind it (WCAG AA:
    4.5 to 1), and axe-core finds no serious violation: of names, landmarks, headings, and of what the keyboard reaches.
    """
    for path in paths:
        for width in (1280, 390):
            browser.sized(width)
            if width == 1280 or path.endswith(DRAWN):
                open_whole(browser, served.url + path)
                if axe:
                    browser.read(f"{axe};0")  # by the debugger, since the page's policy lets no other script in
            for dark in (width > 600, width < 600):
                browser.sized(width, dark=dark)
                assert browser.read("document.documentElement.scrollWidth") <= width, path
                assert browser.read(SCROLLED) == [], path
                assert browser.read(FAINT) == [], path
            assert browser.read(UNLABELLED) == [], path
            if axe:
                assert browser.read(VIOLATIONS) == [], path
        if path == "/console/":
            assert LONG_NAME in browser.read("document.body.innerText")
    assert browser.complaints == []


def open_whole(browser, url):
    """Open a page, with its figures drawn, and in the form of a clone with a second algorithm."""
    browser.open(url)
    if url.endswith("/analysis"):
        until_figures_are_drawn(browser)
    if "clone" in url:
        browser.click("[value=definitions]")
        browser.until("document.querySelectorAll('.algorithm').length === 2")


def until_figures_are_drawn(browser):
    """Wait for a figure that Vega has drawn, which tells more to a screen reader, and see that none is wider than its place."""
    browser.until("document.querySelectorAll('#best-so-far canvas').length === 1")
    browser.until("document.querySelector('#best-so-far .drawing').getAttribute('aria-label').includes('Best of 12')")
    wide = "[...document.querySelectorAll('canvas')].filter((each) => each.clientWidth > each.closest('.drawing').clientWidth)"
    assert browser.read(f"{wide}.map((each) => each.closest('figure').id)") == []


def test_keys_lead_through_a_page_as_it_is_read(browser, served, paths):
    """Each stop has a ring and lies where the eye goes on; menus open by Enter, Escape closes them, and the focus comes back."""
    browser.sized(1280)
    browser.open(f"{served.url}/console/tuning-jobs/wide")
    browser.press("Tab")
    browser.press("Enter")  # skips what all pages have
    stops = []
    while not stops or stops[-1] is not None:
        browser.press("Tab")
        stops.append(browser.read(STOP))
        if stops[-1] and stops[-1]["text"] == "Download":
            browser.press("Enter")
            browser.press("Tab")
            assert browser.read(STOP)["text"] == "Report (one HTML file)"
            browser.press("Escape")
            assert browser.read(STOP) == stops[-1]
            assert browser.read("document.querySelectorAll('details[open]').length") == 0
    texts = [stop["text"] for stop in stops[:-1]]
    assert texts[:4] == ["Add a note or tags", "Overview", "Training jobs", "Analysis"]
    assert texts[7:10] == ["Continue this job", "Clone", "Download"]
    assert texts[-1] == "All 12 training jobs"
    assert [stop["text"] for stop in stops[:-1] if not stop["ring"]] == []
    for column in ("main", "side"):  # beside each other; what stands above or below them is in no column
        tops = [stop["top"] for stop in stops[:-1] if stop["column"] in (column, "")]
        assert tops == sorted(tops)
    browser.open(f"{served.url}/console/tuning-jobs/wide/training-jobs")
    browser.read("document.querySelector('thead th:nth-child(2) a').focus()")
    browser.press("Enter")
    browser.until("location.search.includes('sort=') && document.querySelector('th[aria-sort]')?.cellIndex === 1")
    assert browser.complaints == []


def test_axe_is_there_to_look_at_the_pages(axe):
    if not axe:
        missing("axe-core", "pip install axe-core-python")


COMBINATIONS = [(1280, False), (1280, True), (390, False), (390, True)]


def test_pages_are_whole_without_scripts_at_each_width_in_each_theme(browser, served, paths):
    """What scripts draw is an image then, of the width and the theme of the page; sliders and what copies aren't shown."""
    browser.scripts(False)
    for path in (*paths, "/console/tuning-jobs/wide/replay"):
        browser.open(served.url + path)
        differs = path.endswith(("/replay", "/new"))  # from what it is with scripts
        for width, dark in COMBINATIONS if differs else [(390, True)]:
            browser.sized(width, dark=dark)
            assert browser.read("document.documentElement.scrollWidth") <= width, path
            assert not differs or browser.read(FAINT) == [], path
            assert browser.read("[...document.querySelectorAll('[hidden]')].every((each) => !each.offsetParent)"), path
    browser.open(f"{served.url}/console/tuning-jobs/wide/analysis")
    for width, dark in COMBINATIONS:
        browser.sized(width, dark=dark)
        theme, phone = json.dumps(dark), json.dumps(width == 390)
        browser.until(
            f"""(({{ naturalWidth, currentSrc }}) => naturalWidth > 100 && currentSrc.includes("theme=dark") === {theme}
            && currentSrc.includes("width=340") === {phone})(document.querySelector("#best-so-far img"))"""
        )
    browser.scripts(True)


def test_a_slider_replays_and_marks_the_stop_on_the_curve(browser, served, paths):
    """Also if its first request is lost."""
    browser.sized(1280)
    browser.open(f"{served.url}/console/tuning-jobs/wide/replay")
    browser.until("document.querySelectorAll('#results .value').length === 3")
    browser.read(
        "((slider) => { slider.value = 5; slider.dispatchEvent(new Event('input', { bubbles: true })); })"
        "(document.querySelector('[data-slides=\"MaxNumberOfTrainingJobs.0\"]'))"
    )
    browser.lose("*/wide/replay*", 1)
    browser.until("document.querySelector('#results svg').textContent.includes('MaxNumberOfTrainingJobs 5: 5')")
    assert browser.read("document.querySelector('[name=\"MaxNumberOfTrainingJobs.0\"]').value") == "5"
    assert "MaxNumberOfTrainingJobs.0=5" in browser.read("location.search")
    assert browser.read("document.activeElement === document.body || !document.activeElement.closest('#results')")
    assert browser.complaints == []


def imported(served, folder, past):
    """Import a history as a tuning job that has ended."""
    times = {"CreationTime": past.created_at, "HyperParameterTuningEndTime": past.now}
    described = {**past.spec.request, "HyperParameterTuningJobStatus": "Completed", **times}
    answers = {"job.json": described, "list.json": {"TrainingJobSummaries": listed(past)}}
    for name, answer in answers.items():
        text = json.dumps(answer, default=str).replace(
            '"job-', f'"{past.spec.name}-'
        )  # training jobs have names of their own
        (folder / name).write_text(text)
    served.cli("import", "aws", *(str(folder / name) for name in answers))


def test_a_replay_ends_when_its_page_is_left_or_its_tab_is_closed(browser, served, tmp_path):
    """One that takes minutes."""
    imported(served, tmp_path, history((math.sin(number) for number in range(400)), name="long"))
    record = f"{served.url}/console/tuning-jobs/long/replay?use=ConvergenceDetected&ConvergenceDetected.1="

    def under_way(number):
        with urllib.request.urlopen(f"{served.url}/metrics") as answer:
            return f"\nalfine_replays {number}.0\n" in answer.read().decode()

    tab = browser.open_tab(f"{record}0.002")
    browser.open(f"{record}0.001")
    browser.until("document.querySelector('#results progress')?.value > 0")
    until_true(lambda: under_way(2), "both are under way")
    browser.close_tab(tab)
    browser.open(f"{served.url}/console/")
    until_true(lambda: under_way(0), "both have ended")
    browser.open(f"{record}0.001")
    assert browser.read("document.querySelector('#results progress')?.value ?? 1") < 1  # it hadn't come to its end
    browser.open("about:blank")
    assert browser.complaints == []


def test_a_person_creates_watches_compares_replays_stops_reads_and_takes_along(browser, served, paths, tmp_path):
    """From the form of a new job to a report that is opened without a network, as a person goes about it."""
    (tmp_path / "train.py").write_text(EPOCHS)
    go, console = tmp_path / "go", f"{served.url}/console"
    browser.sized(1280)

    # creates a job in the form, and watches it end
    browser.open(f"{console}/")
    browser.click("a[href='/console/new']")
    browser.until("!!document.querySelector('[name=script]')")
    fields = {
        "name": "by-hand",
        "script": str(tmp_path / "train.py"),
        "metric": "loss",
        "max_training_jobs": "x",
        "max_parallel": "2",
    }
    fields |= {"hyperparameter-0": "x", "min-0": "0", "max-0": "1", "hyperparameter-1": "n", "min-1": "1", "max-1": "9"}
    for name, text in fields.items():
        browser.fill(f"[name={name}]", text)
    browser.fill("[name=kind-1]", "integer")
    browser.fill("[name=more]", f"static: {{go: {go}}}")
    browser.click("[value=create]")
    assert "must be a whole number" in browser.until("document.querySelector('#fault-max_training_jobs')?.innerText")
    browser.fill("[name=max_training_jobs]", "6")
    browser.click("[value=check]:not(.default)")
    browser.until("document.querySelector('[role=status]')?.innerText.includes('The job can be created')")
    browser.click("[value=create]")
    browser.until("location.pathname === '/console/tuning-jobs/by-hand' && !document.querySelector('#live').hidden")
    browser.until("document.querySelector('#training-jobs tbody')?.innerText.includes('In progress')")
    go.touch()
    browser.until("document.querySelector('h1 .status')?.textContent === 'Completed'")

    # filters the table on a phone in the dark, and reads and searches a log
    browser.sized(390, dark=True)
    browser.click(".tabs a[href$='/training-jobs']")
    browser.until("document.querySelectorAll('#rows tr').length === 6")
    browser.fill("[name=filter]", "x<0.5 n>=1")
    browser.click("form.table-filter button")
    shown = browser.until(
        "/that match/.test(document.querySelector('#count')?.innerText) && document.querySelectorAll('#rows tr').length"
    )
    assert 0 < shown < 6
    browser.click("#rows th a")
    browser.until("document.querySelector('#log')?.textContent.includes('epoch 5')")
    browser.open(browser.read("location.href").split("?")[0] + "/log?find=epoch+3")
    assert "1 of 1 with epoch 3" in browser.read("document.querySelector('main').innerText")

    # clones it, and stops the clone
    browser.open(f"{console}/new?clone=by-hand")
    browser.fill("[name=more]", f"static: {{go: {tmp_path / 'never'}}}")
    browser.click("[value=create]")
    browser.until("location.pathname === '/console/tuning-jobs/by-hand-2' && !!document.querySelector('#stop')")
    browser.click("#stop summary")
    browser.click("#stop button.danger")
    browser.until("document.querySelector('h1 .status')?.textContent === 'Stopped'")

    # compares two jobs
    browser.sized(1280, dark=True)
    browser.open(f"{console}/?filter=by-hand")
    browser.until("document.querySelectorAll('#rows tr').length === 2")
    browser.read("document.querySelectorAll('#rows [type=checkbox]').forEach((each) => each.click())")
    browser.click("form[action$=compare] button")
    browser.until("document.title.startsWith('Compar') && document.querySelectorAll('.chart canvas').length > 0")

    # moves a slider of a replay
    browser.sized(390)
    browser.open(f"{console}/tuning-jobs/by-hand/replay")
    browser.until("!!document.querySelector('.slider:not([hidden]) [data-slides*=BestObjectiveNotImproving]')")
    browser.slide("[data-slides*=BestObjectiveNotImproving]", "3")
    browser.until("document.querySelector('.replays')?.innerText.includes('BestObjectiveNotImproving 3')")

    # takes the report along
    browser.downloads_to(tmp_path)
    browser.open(f"{console}/tuning-jobs/by-hand")
    browser.read("document.querySelector(\"a[href$='/report']\").click()")
    browser.until_event("Browser.downloadProgress", state="completed")
    browser.offline(True)
    browser.open((tmp_path / "by-hand.html").as_uri())
    assert "by-hand" in browser.read("document.querySelector('h1').innerText")
    assert browser.read("document.querySelectorAll('svg').length") >= 3
    browser.offline(False)

    # and does the same where no script runs
    browser.scripts(False)
    browser.open(f"{console}/?filter=by-hand")
    browser.read("document.querySelectorAll('#rows [type=checkbox]').forEach((each) => { each.checked = true })")
    browser.click("form[action$=compare] button")
    browser.until("[...document.querySelectorAll('.chart img')].some((each) => each.naturalWidth > 100)")
    browser.open(f"{console}/tuning-jobs/by-hand/replay")
    browser.fill("[name=criteria]", "BestObjectiveNotImproving 4")
    browser.click("form.replay button.primary")
    browser.until("document.querySelector('.replays')?.innerText.includes('BestObjectiveNotImproving 4')")
    browser.open(f"{console}/new?clone=by-hand")
    browser.click("[value=add]")
    browser.until("document.querySelectorAll('.range').length === 3")
    browser.scripts(True)
    browser.open(f"{console}/")
    policy = browser.read("fetch(location.href).then((answer) => answer.headers.get('content-security-policy'))")
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert browser.complaints == []


def test_labels_of_figures_are_whole_and_tell_neighbours_apart(browser, served, tmp_path):
    """Also where objectives are large and near each other."""
    imported(served, tmp_path, history((12e6 + 97 * math.sin(number) for number in range(10)), name="millions"))
    browser.open(f"{served.url}/console/tuning-jobs/millions")
    for width, shown in ((1280, "on-desktop"), (390, "on-phone")):
        browser.sized(width)
        browser.until(f"document.querySelector('.{shown} svg')?.clientWidth > 0")
        assert browser.read(OUTSIDE) == []
        labels = browser.read(
            f"[...document.querySelectorAll('.{shown} svg text[text-anchor=end].soft')].map((each) => each.textContent)"
        )
        assert len(set(labels)) == len(labels) > 1


# What has the focus: its text, whether that can be seen, the column of the page that it is in, and its height there; null: nothing has.
STOP = """
(({ activeElement: each }) => each === document.body ? null : {
  text: each.ariaLabel || each.textContent.trim(), column: each.closest(".columns > *")?.className ?? "",
  ring: each.matches(":focus-visible") && getComputedStyle(each).outlineStyle !== "none" && each.clientWidth + each.offsetWidth > 0,
  top: Math.round((each.getBoundingClientRect().top + scrollY) / 12),
})(document)
"""

# Tables and others that have to be scrolled sideways.
SCROLLED = "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.ariaLabel)"

# Texts of figures that reach beyond them, where they are cut off.
OUTSIDE = """
[...document.querySelectorAll("svg.figure text")].filter((each) => {
  const [own, whole] = [each.getBoundingClientRect(), each.closest("svg").getBoundingClientRect()];
  return own.width && (own.left < whole.left - 0.5 || own.right > whole.right + 0.5);
}).map((each) => each.textContent)
"""

# Texts with less contrast than 4.5 to 1 against the nearest background that isn't transparent.
FAINT = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
                            return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (each) => { for (; each; each = each.parentElement) { const found = rgb(getComputedStyle(each).backgroundColor);
                             if (found[3] > 200) return found; } return [255, 255, 255]; };
  const faint = [];
  for (const each of document.querySelectorAll("main *, header *")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || each.getClientRects().length === 0 || each.closest("option")) continue;
    const style = getComputedStyle(each);
    const [a, b] = [light(rgb(each.closest("svg") ? style.fill : style.color)), light(behind(each))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(each.tagName + "." + each.className + ": " + each.textContent.trim().slice(0, 40));
  }
  return faint;
})()
"""

# What axe-core finds that keeps somebody out. FAINT measures the contrast, also in figures.
VIOLATIONS = """
axe.run(document, { preload: false, resultTypes: ["violations"], rules: { "color-contrast": { enabled: false } } }).then(({ violations }) => violations
  .filter((each) => ["serious", "critical"].includes(each.impact))
  .map((each) => [each.id, each.help, ...each.nodes.map((node) => node.html.slice(0, 200))]))
"""

# Fields without a label, figures without a name, tables without heads.
UNLABELLED = """
[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((each) => !each.labels.length)
  .concat([...document.querySelectorAll("svg:not([aria-label]), progress:not([aria-label]), img:not([alt])")])
  .concat([...document.querySelectorAll("table")].filter((each) => !each.querySelector("th[scope=col]")))
  .map((each) => each.outerHTML.slice(0, 80))
"""
