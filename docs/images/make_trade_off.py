"""Draw the picture of docs/explanation/which-criterion.md: what each rule for stopping saves, and how often it misses.

    python docs/images/make_trade_off.py

The numbers are those of the table in bench/README.md that bench/stopping/run.py writes. There are two files, one for light and one for dark pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TABLE = re.compile(r"^\| (.+?) \| (\d+) % \| [\d.]+ % \| ([\d.]+) % \|", re.MULTILINE)
WIDTH, HEIGHT = 960, 480  # pixels
LEFT, RIGHT, TOP, BOTTOM = 72, 40, 108, 64  # margins of the plot
MOST = 80  # per cent of misses at the top of the frame
TICKS = (0, 20, 40, 60, 80)
LABELS = {  # what is drawn: its label, and where that stands beside its dot
    "ConvergenceDetected, δ = 0.2": ("delta=0.2", -80, 5),
    "ConvergenceDetected, δ = 0.1": ("delta=0.1", 12, -4),
    "ConvergenceDetected, δ = 0.05": ("ConvergenceDetected (delta=0.05)", -266, 8),
    "ConvergenceDetected, δ = 0.02": ("delta=0.02", 10, 14),
    "patience 10, 1 %": ("patience 10", 8, 18),
    "patience 30, 1 %": ("patience 30", -92, 8),
    "patience 50, 1 %": ("patience 50", -92, 8),
    "Ray plateau": ("Ray's plateau", 10, -3),
    "Syne Tune plateau": ("Syne Tune's plateau", 10, 2),
    "Ax, window 20, bar 0.05": ("Ax, window 20", 10, -8),
    "always 40": ("always 40", -78, 12),
    "always 60": ("always 60", 10, -8),
    "always 100": ("always 100", 10, -8),
    "always 140": ("always 140", 10, -8),
    "always 200": ("all 200", -46, -14),
}
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Palette:
    """The colours of one of the two files."""

    name: str
    paper: str
    border: str
    ink: str
    faint: str
    grid: str
    convergence: str
    patience: str
    peers: str


LIGHT = Palette("light", "#ffffff", "#d0d7de", "#1f2328", "#59636e", "#eaeef2", "#bc4c00", "#0969da", "#1a7f37")
DARK = Palette("dark", "#0d1117", "#30363d", "#e6edf3", "#9198a1", "#21262d", "#f0883e", "#58a6ff", "#3fb950")


@dataclass(frozen=True)
class Rule:
    """One rule: the share of training jobs that it runs, and of searches that end more than 1 % worse, in per cent."""

    name: str
    run: float
    missed: float

    @property
    def x(self) -> float:
        return LEFT + self.run / 100 * (WIDTH - LEFT - RIGHT)

    @property
    def y(self) -> float:
        return HEIGHT - BOTTOM - self.missed / MOST * (HEIGHT - TOP - BOTTOM)


def rules() -> dict[str, Rule]:
    """Return the rules of the first table of the record, by name."""
    text = (HERE.parents[1] / "bench/README.md").read_text()
    text = text.partition("<!-- stopping results:")[2].partition("30 of these")[0]
    return {name: Rule(name, float(run), float(missed)) for name, run, missed in TABLE.findall(text)}


def pictures() -> dict[Path, str]:
    """Return {file: what it holds} of both pictures."""
    return {HERE / f"trade-off-{palette.name}.svg": "\n".join(_lines(palette)) + "\n" for palette in (LIGHT, DARK)}


def _lines(palette: Palette) -> Iterator[str]:
    known = rules()
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Share of training jobs run, and share of searches more than 1 % worse, of each rule" font-family="{FONT}">'
    )
    yield (
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" fill="{palette.paper}" stroke="{palette.border}"/>'
    )
    yield _text(28, 36, "What a rule saves, and how often it misses", palette.ink, size=18, weight=700)
    words = (
        "90 recorded searches of 200 training jobs on 45 held-out tasks. Left: fewer training jobs. Down: fewer misses."
    )
    yield _text(28, 58, words, palette.faint)
    yield from _axes(palette)
    yield from (_path(group, known, palette) for group in ("ConvergenceDetected", "always"))
    for name, (label, right, down) in LABELS.items():
        rule, colour = known[name], _colour(name, palette)
        yield f'<circle cx="{rule.x:.1f}" cy="{rule.y:.1f}" r="5" fill="{colour}"/>'
        yield _text(rule.x + right, rule.y + down, label, colour, weight=600 if "Conv" in name else 400)
    yield "</svg>"


def _axes(palette: Palette) -> Iterator[str]:
    for tick in TICKS:
        y = Rule("", 0, tick).y
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{palette.grid}"/>'
        yield _text(LEFT - 10, y + 4, f"{tick} %", palette.faint, anchor="end")
    for share in (0, 20, 40, 60, 80, 100):
        yield _text(Rule("", share, 0).x, HEIGHT - BOTTOM + 20, f"{share} %", palette.faint, anchor="middle")
    yield _text(WIDTH - RIGHT, HEIGHT - 18, "training jobs run", palette.faint, anchor="end")
    yield _text(LEFT, TOP - 14, "searches that end more than 1 % worse than with all 200", palette.faint)


def _path(group: str, known: dict[str, Rule], palette: Palette) -> str:
    members = sorted(
        (known[name] for name in known if name.startswith(group) and "cap" not in name), key=lambda rule: rule.run
    )
    points = " ".join(f"{rule.x:.1f},{rule.y:.1f}" for rule in members)
    dashes = "" if group == "ConvergenceDetected" else ' stroke-dasharray="3 4"'
    return f'<polyline points="{points}" fill="none" stroke="{_colour(group, palette)}" stroke-width="1.5"{dashes}/>'


def _colour(name: str, palette: Palette) -> str:
    groups = {"Conv": palette.convergence, "pati": palette.patience, "alwa": palette.faint}
    return groups.get(name[:4], palette.peers)


def _text(
    x: float, y: float, words: str, colour: str, *, size: int = 13, weight: int = 400, anchor: str = "start"
) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    for file, text in pictures().items():
        file.write_text(text)
