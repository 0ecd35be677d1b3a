"""Make the pictures of docs/tutorial/tour.md: run its tuning job, and look at it in the console, the terminal and a notebook.

    python docs/images/make_tour.py

It needs Chromium, and scikit-learn for the job, which takes some minutes. It writes docs/images/tour-*.webp anew; times in them differ from
run to run, everything else is the same.
"""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

from rich.console import Console
from rich.constrain import Constrain

import alfine
from alfine.api import notebook_view
from alfine.api.job_progress import JobProgress
from alfine.api.live_view import ROOM_FOR_ECHO, picture

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.server.console.browser import Browser  # noqa: E402 - found by the line before

NAME = "diabetes"
WIDTH = 1100
"""Pixels of a page."""

QUALITY = 82
"""Quality of the pictures, of 100: texts stay sharp."""

MOST_BYTES = 150 * 1024
"""Size of a picture, at most."""

LIVE_AT = 22
"""Training jobs that have ended when the job is looked at while it runs."""

MARGIN = 12
"""Pixels above the element with which a picture begins."""

COLUMNS = 80
"""Columns of the terminal."""

TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #1b1f24; color: #d6dde4; display: inline-block; padding: 16px 20px; }}
pre {{ margin: 0; font: 14px/1.3 "DejaVu Sans Mono", monospace; }}
.dots {{ display: inline-block; width: 1ch; font-weight: normal; }}
</style><pre>$ alfine tune diabetes.yaml
{}</pre>"""

NOTEBOOK = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 16px 20px; background: #fff; width: 960px; font-family: system-ui, sans-serif; }}
pre {{ margin: 0 0 10px; padding: 8px 12px; background: #f5f5f5; border: 1px solid #ddd; font: 13px/1.4 "DejaVu Sans Mono", monospace; }}
</style><pre>{}</pre>{}"""

CELL = """job = alfine.attach("diabetes")
job"""


class Pictures:
    """Takes pictures of pages.

    Args:
        browser: Shows them.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def take(
        self, name: str, url: str, height: int, *, ready: str = "true", width: int = WIDTH, below: str = "body"
    ) -> None:
        """Write docs/images/tour-NAME.webp: the upper part of a page, or what begins with an element, once an expression in it is true."""
        self.browser.sized(width, height)
        self.browser.open(url)
        self.browser.read(f"document.querySelector('{below}').scrollIntoView()")  # figures are drawn once they are seen
        self.browser.until(ready)
        self.browser.read("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        top = self.browser.read(f"scrollY + document.querySelector('{below}').getBoundingClientRect().top")
        clip = {"x": 0, "y": max(0, top - MARGIN), "width": width, "height": height, "scale": 1}
        image = self.browser.call(
            "Page.captureScreenshot", format="webp", quality=QUALITY, clip=clip, captureBeyondViewport=True
        )["data"]
        data = base64.b64decode(image)
        assert len(data) <= MOST_BYTES, (name, len(data))
        (HERE / f"tour-{name}.webp").write_bytes(data)

    def take_document(self, name: str, html: str, folder: Path) -> None:
        """Write the picture of a document of its own, as large as it is."""
        file = folder / f"{name}.html"
        file.write_text(html, encoding="utf-8")
        self.browser.sized(WIDTH, 800)
        self.browser.open(file.as_uri())
        size = self.browser.read("[document.body.offsetWidth, document.body.offsetHeight]")
        self.take(name, file.as_uri(), int(size[1]), width=int(size[0]))


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "alfine", *words, "--home", str(home)]


def main() -> None:
    """Run the job, and take all pictures."""
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place), Path(place) / "home"
        server = subprocess.Popen(
            command(home, "serve", "--port", "0", "--open"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        browser = Browser(folder / "profile")
        try:
            url = f"{_address(server)}/console"
            _take_all(Pictures(browser), url, folder, home)
        finally:
            browser.close()
            server.terminate()
            server.wait()


def _take_all(pictures: Pictures, url: str, folder: Path, home: Path) -> None:
    page = f"{url}/tuning-jobs/{NAME}"
    subprocess.run(command(home, "create", str(HERE / "tour" / f"{NAME}.yaml")), check=True)
    while (job := alfine.attach(NAME, home=home)).history.ended < LIVE_AT:
        time.sleep(0.5)
    pictures.take("overview", page, 900, ready="document.querySelector('#curve svg') !== null")
    pictures.take_document("terminal", TERMINAL.format(_terminal(job)), folder)
    html, _ = notebook_view.pictured(job.history, job.status, job.verdict, job.verdicts)
    pictures.take_document("notebook", NOTEBOOK.format(escape(CELL), html), folder)
    job = job.wait()
    drawn = "['importance', 'slices'].every(id => document.querySelector(`#${id} .drawing :is(canvas, svg)`))"
    pictures.take("analysis", f"{page}/analysis", 820, ready=drawn, below="#importance")
    pictures.take("training-jobs", f"{page}/training-jobs?sort=objective", 700)
    asked = "criteria=BestObjectiveNotImproving+10%0AConvergenceDetected+delta%3D0.2"
    pictures.take("replay", f"{page}/replay?{asked}", 900, ready="!document.body.innerText.includes('under way')")
    pictures.take("new-job", f"{url}/new?clone={NAME}", 760, below="#at-space")


def _terminal(job: alfine.Job) -> str:
    """Return the live view of a job as HTML: what a terminal of 80 columns shows."""
    screen = Console(record=True, width=COLUMNS, height=40, force_terminal=True, file=io.StringIO())
    progress = JobProgress.of_history(job.history, job.status, job.verdict, job.verdicts)
    screen.print(Constrain(picture(progress), COLUMNS - ROOM_FOR_ECHO))
    html = screen.export_html(inline_styles=True, code_format="{code}")
    return re.sub("[\u2800-\u28ff]", r'<b class="dots">\g<0></b>', html)


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    found = re.search(r"ready on (https?://\S+)", server.stdout.readline())
    assert found
    return found[1]


if __name__ == "__main__":
    main()
