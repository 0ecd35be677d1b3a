"""A real browser, driven over its own pipe (Chrome DevTools Protocol on descriptors 3 and 4): no driver, no package, no download."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--no-default-browser-check", "--hide-scrollbars", "--remote-debugging-pipe"),
]
PATIENCE_SECONDS = 30.0
KEPT = (
    *("Browser.downloadProgress", "Fetch.requestPaused", "Log.entryAdded", "Page.lifecycleEvent"),
    "Runtime.exceptionThrown",
)
"""The events that somebody waits for or looks at; a page's others are thousands."""


def found() -> str | None:
    """The path of a browser of this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._writes = os.pipe()
        self._reads, from_browser = os.pipe()
        high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (to_browser, from_browser)]
        arguments = [found() or "", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        actions = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate(high, 3)]
        self._process = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=actions, setpgroup=0)
        for each in (to_browser, from_browser, *high):
            os.close(each)
        os.set_blocking(self._reads, False)
        self._numbers = itertools.count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self) -> None:
        os.killpg(self._process, signal.SIGKILL)  # with the processes that it has for its pages
        os.waitpid(self._process, 0)
        os.close(self._writes)
        os.close(self._reads)

    # ---- what a person does

    def open(self, url: str) -> None:
        """Go there, and wait until the page and its script have loaded."""
        loader = self.call("Page.navigate", url=url)["loaderId"]
        loaded = {"name": "load", "loaderId": loader}
        self._until(lambda: any(loaded.items() <= event.get("params", {}).items() for event in self.events), url)

    def open_tab(self, url: str) -> str:
        """Open a page in another tab, which loads by itself. Return what `close_tab` closes."""
        return str(self._call("Target.createTarget", url=url)["targetId"])

    def close_tab(self, tab: str) -> None:
        self._call("Target.closeTarget", targetId=tab)

    def read(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of an expression once it is something."""
        value: list[Any] = []

        def looked() -> bool:
            try:
                value[:] = [self.read(script)]
            except AssertionError:  # between two pages
                return False
            return bool(value[0])

        try:
            self._until(looked, script)
        except AssertionError as late:
            shown = self.read("`${location.href} shows: ${document.body?.innerText}`")
            raise AssertionError(f"{late}\n{shown}") from late
        return value[0]

    def press(self, key: str) -> None:
        """Press a key: Tab, Enter or Escape."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def click(self, selector: str) -> None:
        self.read(f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, selector: str, text: str) -> None:
        self.read(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(text)}")

    def slide(self, selector: str, value: str) -> None:
        """Move a slider there."""
        self.fill(selector, value)
        self.read(
            f"document.querySelector({json.dumps(selector)}).dispatchEvent(new Event('input', {{bubbles: true}}))"
        )

    def downloads_to(self, folder: Path) -> None:
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)

    def scripts(self, run: bool) -> None:  # noqa: FBT001
        """Let the scripts of the pages that are opened from now on run, or not."""
        self.call("Emulation.setScriptExecutionDisabled", value=not run)

    def offline(self, offline: bool) -> None:  # noqa: FBT001
        """Cut the browser off from every network, or connect it again."""
        rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.call("Network.enable")
        self.call("Network.emulateNetworkConditions", offline=offline, **rates)
        if not offline:
            self.call("Network.disable")

    def lose(self, url: str, number: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let the next requests for a URL fail; each waits until `meanwhile` is done."""
        self.call("Fetch.enable", patterns=[{"urlPattern": url}])
        for _ in range(number):
            self.until_event("Fetch.requestPaused")
            paused = next(event for event in self.events if event["method"] == "Fetch.requestPaused")
            self.events.remove(paused)
            meanwhile()
            self.call("Fetch.failRequest", requestId=paused["params"]["requestId"], errorReason="ConnectionReset")
        self.call("Fetch.disable")

    def sized(self, width: int, height: int = 800, *, dark: bool = False) -> None:
        """Give the window a width and a theme. Nothing moves by itself, which would cost a core."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        media = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")["data"]
        path.write_bytes(base64.b64decode(image))

    @property
    def complaints(self) -> list[str]:
        """What the browser logged as errors: of scripts, and of what a page's policy forbade; not that a form was refused."""
        self._read_more(0.05)
        found = [
            event["params"]["entry"]["text"]
            for event in self.events
            if event["method"] == "Log.entryAdded"
            and event["params"]["entry"]["level"] == "error"
            and event["params"]["entry"]["source"] != "network"
        ]
        return found + [
            str(event["params"]["exceptionDetails"]["text"])
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
        ]

    # ---- the protocol

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._call(method, self._session, **params)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        answers: list[dict[str, Any]] = []

        def answered() -> bool:
            answers.extend(event for event in self.events if event.get("id") == number)
            return bool(answers)

        self._until(answered, method)
        self.events = [event for event in self.events if event.get("id") != number]
        assert "error" not in answers[0], (method, answers[0])
        return dict(answers[0]["result"])

    def until_event(self, method: str, **params: Any) -> None:
        """Wait for an event with these parameters among others."""
        wanted = params.items()
        self._until(
            lambda: any(e["method"] == method and wanted <= e.get("params", {}).items() for e in self.events), method
        )

    def _until(self, done: Any, what: str = "") -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"the browser didn't come to it: {what}"
            self._read_more(0.1)

    def _read_more(self, seconds: float) -> None:
        ready, _, _ = select.select([self._reads], [], [], seconds)
        if not ready:
            return
        self._rest += os.read(self._reads, 1 << 20)
        *messages, self._rest = self._rest.split(b"\0")
        for each in messages:
            event = json.loads(each)
            event.setdefault("method", "")
            if "id" in event or event["method"] in KEPT:
                self.events.append(event)
