"""Build the docs site: python docs/site/build.py [FOLDER]. It needs Zensical: pip install 'alfine[docs]'.

The built site is in FOLDER (default: site): plain files, which any web server serves and a browser opens from the disk. A broken link, a page
that isn't in the list of pages, or anything that a page would load from another site is an error.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from check import faults
from pages import ROOT, missing, navigation, site

SETTINGS = Path(__file__).parent / "zensical.toml"


def stage(folder: Path) -> None:
    """Write the site's sources and settings into a folder."""
    made, tree = site(), navigation()
    if wrong := missing(made, tree):
        sys.exit("\n".join(f"{where} {what}." for where, what in wrong.items()))
    for where, text in made.texts.items():
        _file(folder / "docs" / where).write_text(text)
    for where, file in made.copies.items():
        shutil.copyfile(file, _file(folder / "docs" / where))
    head, project, rest = SETTINGS.read_text().partition("[project]\n")
    (folder / "zensical.toml").write_text(f"{head}{project}nav = {_toml(tree)}\n{rest}")


def _file(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _toml(value: object) -> str:
    """Return lists, dictionaries and strings as TOML writes them."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key, ensure_ascii=False)} = {_toml(entry)}' for key, entry in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def build(goal: Path) -> None:
    """Build the site, check it, and put it into a folder; exit with what is wrong."""
    with tempfile.TemporaryDirectory(prefix="alfine-site-") as temporary:
        folder = Path(temporary)
        stage(folder)
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            sys.exit("The site has errors.")
        if wrong := sorted(set(faults(folder / "site"))):
            sys.exit("\n".join(wrong))
        shutil.rmtree(goal, ignore_errors=True)
        shutil.move(folder / "site", goal)
    sys.stdout.write(f"{len([*goal.rglob('*.html')])} pages are in {goal}.\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site")
