"""A small drawing of how the best result of a tuning job got better, for a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from alfine.core.wording import count_of, number

WIDTH, HEIGHT, MARGIN = 96, 24, 2.5


def sparkline(steps: Sequence[tuple[int, float]], results: int) -> Markup:
    """Return the drawing as SVG; "" for a course without results.

    Args:
        steps: (number of the result, from 1; the best from there on), each time it improved.
        results: How many results there are.
    """
    if not steps:
        return Markup("")
    values = [value for _, value in steps]
    low, high = min(values), max(values)
    first, last = steps[0][0], max(results, steps[0][0] + 1)

    def place(result: float, value: float) -> tuple[float, float]:
        share = 0.5 if high == low else (high / 2 - value / 2) / (high / 2 - low / 2)  # halves: they don't overflow
        x = MARGIN + (WIDTH - 2 * MARGIN) * (result - first) / (last - first)
        return x, MARGIN + (HEIGHT - 2 * MARGIN) * share

    x, y = place(*steps[0])
    path = [f"M{x:.1f} {y:.1f}"]
    for result, value in steps[1:]:
        x, y = place(result, value)
        path.append(f"H{x:.1f}V{y:.1f}")
    told = f"Best so far over {count_of(results, 'result')}: {number(values[0])} to {number(values[-1])}"
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><title>{}</title>'
        '<path d="{}H{:.1f}"/><circle cx="{:.1f}" cy="{:.1f}" r="2.2"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, told, told, "".join(path), WIDTH - MARGIN, x, y)
