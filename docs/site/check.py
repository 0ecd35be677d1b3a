"""What the built site must keep: each link leads to a page and a heading, and no page loads anything from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "video": "src"}
LOADED_RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """One built page: its anchors, its links, and what a browser loads for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag is: an anchor, a link, or something to load."""
        named = {name: value or "" for name, value in attrs}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        elif tag == "link" and LOADED_RELATIONS & set(named.get("rel", "").split()):
            self.loads.append(named["href"])
        elif LOADS.get(tag) in named:
            self.loads.append(named[LOADS[tag]])


def faults(folder: Path) -> Iterator[str]:
    """Yield a sentence for each broken link, and for each thing that a page would load from another site."""
    pages = {
        file.resolve(): Page(file.read_text()) for file in sorted(folder.rglob("*.html")) if file.name != "404.html"
    }
    for file, page in pages.items():
        name = file.relative_to(folder.resolve())
        yield from (f"{name} loads {url} from elsewhere." for url in page.loads if urlsplit(url).netloc)
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = Path(os.path.normpath(file.parent / unquote(parts.path))) if parts.path else file
            there = there / "index.html" if there.is_dir() else there
            if not there.exists():
                yield f"{name}: {link} leads nowhere."
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
                yield f"{name}: {link} names a heading that isn't there."
    for sheet in folder.rglob("*.css"):
        if "url(http" in sheet.read_text() or "@import" in sheet.read_text():
            yield f"{sheet.relative_to(folder)} loads something from elsewhere."
