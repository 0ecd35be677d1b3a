"""The pages of the docs site, from the files of this repository.

docs/README.md is the list of pages and the site's navigation: its headings are the sections, its links the pages. The site has the pages of
docs/, those outside that the list names (README, CHANGELOG …), and each file that a page links to, as a page that shows it. Links are
rewritten accordingly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lists import with_wide_lists

ROOT = Path(__file__).resolve().parents[2]
LIST = "docs/README.md"
HOME = "README.md"
LINK = re.compile(r"(?<=\]\()([^)#\s]*)(#[^)\s]*)?(?=\))")
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"^ *<!-- not run: .+? -->\n+", re.MULTILINE)
PICTURE = re.compile(r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]+)" src="([^"]+)">\s*</picture>')
PICTURES = (".svg", ".png", ".webp", ".gif", ".jpg")
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".cfg": "text", ".service": "ini", ".example": "sh"}

Tree = list[dict[str, "str | Tree"]]


@dataclass
class Site:
    """The files of the site: {path in the site: text}, and pictures to copy as {path in the site: file}."""

    texts: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)


def navigation() -> Tree:
    """Return the navigation, as the list of pages tells it: sections, groups in them, and pages by their short names."""
    tree: Tree = [{"Home": place(HOME)}]
    levels = {1: tree}
    for line in (ROOT / LIST).read_text().splitlines():
        if heading := re.match(r"(##+) (.+)", line):
            level, entries = len(heading[1]), []
            levels[level - 1].append({heading[2]: entries})
            levels = {number: group for number, group in levels.items() if number < level} | {level: entries}
        elif link := re.match(r"- \[(.+?)\]\((.+?)\)", line):
            levels[max(levels)].append({link[1]: place(resolved(LIST, link[2]))})
    return tree


def place(path: str) -> str:
    """Return where the site has a file of this repository."""
    if path in {HOME, LIST}:
        return {HOME: "index.md", LIST: "pages.md"}[path]
    if path.startswith("docs/"):
        inner = path.removeprefix("docs/")
        return inner if inner.endswith((".md", *PICTURES)) else f"files/{path}.md"
    if path.endswith(".md"):
        return f"project/{path.removesuffix('/README.md').removesuffix('.md').lower()}.md"
    return f"files/{path}.md"


def resolved(page: str, target: str) -> str:
    """Return the file of this repository to which a relative link of a page leads."""
    return os.path.normpath(PurePosixPath(page).parent / target)


def site() -> Site:
    """Return all files of the site."""
    made = Site()
    pages = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "docs").rglob("*.md"))
    waiting = [HOME, LIST, *pages]
    while waiting:
        path = waiting.pop()
        where = place(path)
        if where in made.texts or where in made.copies:
            continue
        if path.endswith(PICTURES):
            made.copies[where] = ROOT / path
        elif path.endswith(".md"):
            made.texts[where] = page(path)
            waiting += linked(path)
        else:
            made.texts[where] = shown(path)
    made.copies["site/style.css"] = Path(__file__).parent / "style.css"
    made.copies["site/icon.svg"] = ROOT / "src/alfine/server/console/static/icon.svg"
    return made


def linked(path: str) -> Iterator[str]:
    """Yield the files of this repository to which a page links, and the pictures that it shows."""
    text = (ROOT / path).read_text()
    prose = CODE.sub("", text)
    targets = [found[1] for found in LINK.finditer(prose)]
    targets += re.findall(r'(?:src|srcset)="([^"]+)"', prose)
    for target in targets:
        if target and "://" not in target and not target.startswith("mailto:"):
            yield resolved(path, target)


def page(path: str) -> str:
    """Return a page of Markdown as the site has it: with links between places of the site."""
    text = NOT_RUN.sub("", (ROOT / path).read_text())
    text = PICTURE.sub(r"![\2](\3#only-light){.wide} ![\2](\1#only-dark){.wide}", text)
    return with_wide_lists(_outside_code(text, path))


def _outside_code(text: str, path: str) -> str:
    """Rewrite the links of a text, except in code."""
    parts, end = [], 0
    for code in CODE.finditer(text):
        parts += [_with_links(text[end : code.start()], path), code[0]]
        end = code.end()
    return "".join([*parts, _with_links(text[end:], path)])


def _with_links(prose: str, path: str) -> str:
    def rewritten(link: re.Match[str]) -> str:
        if not link[1] or "://" in link[1] or link[1].startswith("mailto:"):
            return link[0]
        there = place(resolved(path, link[1]))
        return os.path.relpath(there, PurePosixPath(place(path)).parent) + (link[2] or "")

    return LINK.sub(rewritten, prose)


def shown(path: str) -> str:
    """Return a page that shows a file which isn't Markdown."""
    file = ROOT / path
    language = LANGUAGES.get(file.suffix, "dockerfile" if file.name == "Dockerfile" else "sh")
    return f"# {path}\n\n```{language}\n{file.read_text().rstrip()}\n```\n"


def missing(made: Site, tree: Tree) -> Mapping[str, str]:
    """Return {place: what is wrong} of pages in the navigation that the site lacks, and of docs that the navigation lacks."""
    named = set(_places(tree))
    wrong = dict.fromkeys(named - set(made.texts), "is in the navigation and not in the site")
    unlisted = {where for where in made.texts if not where.startswith(("files/", "project/"))} - named - {"pages.md"}
    return wrong | dict.fromkeys(unlisted, "isn't in docs/README.md, the list of pages")


def _places(tree: Tree) -> Iterator[str]:
    for entry in tree:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from _places(value)
