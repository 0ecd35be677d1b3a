"""A live `alfine serve`, read as a browser reads it, without and with a browser."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

from tests.aws.conftest import Served, make, sagemaker, script

__all__ = ["make", "sagemaker", "script"]  # fixtures


@dataclass(frozen=True)
class Answer:
    """What a server answered. `text` is a page's, without its marks."""

    status: int
    headers: Message
    body: str
    url: str

    @property
    def text(self) -> str:
        words = re.sub(r"<[^>]*>", " ", self.body.replace("<wbr>", ""))
        return re.sub(r"\s+", " ", html.unescape(words))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Visitor:
    """Somebody with a browser that runs no scripts: keeps cookies, sends what a form sends."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}

    def get(self, path: str, *, stay: bool = False, **headers: str) -> Answer:
        return self._send(path, None, stay=stay, headers={"Accept": "text/html", **headers})

    def post(self, path: str, fields: Mapping[str, str] | None = None, *, stay: bool = False, **headers: str) -> Answer:
        """As a script elsewhere would, with no page before it."""
        body = urllib.parse.urlencode(fields or {}).encode()
        return self._send(path, body, stay=stay, headers={"Accept": "text/html", "Origin": self.url, **headers})

    def submit(self, page: str, action: str, fields: Mapping[str, str] | None = None, *, stay: bool = False) -> Answer:
        """Fill in a form of a page, and send it with all its other fields as they stand."""
        return self.go_on(self.get(page), action, fields, stay=stay)

    def go_on(
        self, page: Answer, action: str, fields: Mapping[str, str] | None = None, *, stay: bool = False
    ) -> Answer:
        """As `submit`, in a page that was answered before."""
        (form,) = [
            form
            for form in re.findall(r"<form.*?</form>", page.body, re.DOTALL)
            if f'action="/console{action}"' in form
        ]
        return self.post(f"/console{action}", {**_fields(form), **(fields or {})}, stay=stay)

    def _send(self, path: str, body: bytes | None, *, stay: bool, headers: Mapping[str, str]) -> Answer:
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        request = urllib.request.Request(
            self.url + path,
            body,
            {**(cookies if self.cookies else {}), **headers},
            method="GET" if body is None else "POST",
        )
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=30) as found:
                answer = Answer(found.status, found.headers, found.read().decode(), path)
        except urllib.error.HTTPError as error:
            with error:
                answer = Answer(error.code, error.headers, error.read().decode(), path)
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if answer.status in (303, 307) and not stay:
            return self.get(answer.headers["Location"])
        return answer


def _fields(form: str) -> dict[str, str]:
    """What a browser would send of a form that nobody touched."""
    found = {}
    for mark in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{key}="([^"]*)"', mark) for key in ("name", "value"))
        if name and ("checkbox" not in mark or " checked" in mark):
            found[name[1]] = html.unescape(value[1]) if value else "on"
    for name, text in re.findall(r'<textarea[^>]* name="([\w-]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select name="([\w-]+)">(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        if chosen:
            found[name] = chosen[1] if chosen[1] is not None else chosen[2]
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


@pytest.fixture
def visitor(served: Served) -> Visitor:
    return Visitor(served.url)
