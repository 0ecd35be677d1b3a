"""Text for values that people read: numbers, shares, money, durations, counts, configurations and corrections of names.

Every sentence, table, label and figure uses these functions, so that one value looks the same in the terminal, the console, a
log and a report. They are pure: text in, text out, and no markup. What a terminal may be sent is in `alfine.jobs.wording`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

UNKNOWN = "–"
"""Stands for a value that isn't known (yet)."""

OBJECTIVE_DIGITS = 6
"""Significant digits of an objective: the best results of a tuning job often differ from the fourth digit on only."""

SHORT_DIGITS = 4
"""Significant digits of any other number: enough to tell two configurations apart."""

EXACT_DIGITS = 15
"""Significant digits with which any decimal number that was typed reads back as itself."""

SHARE_DIGITS = 3
"""Significant digits of a percentage."""

SMALLEST_PERCENT = 0.01
"""In percent: a smaller share is written as «<0.01 %», since its digits mean nothing; and one so near to all as «>99.99 %»."""

LEAST_OF_ALMOST_ALL = 99.9
"""In percent: from here to 100 a digit more is written, so that «100 %» means all."""

LARGEST_WHOLE = 1e12
"""From here on a whole number is written with a power of ten."""

CURRENCY = "USD"
"""The currency of all prices and amounts: US dollars, as in AWS's price lists."""

SMALLEST_IN_CENTS = 0.1
"""An amount in CURRENCY: those below are written with two significant digits, since cents would hide most of them."""

SMALLEST_MONEY = 0.0001
"""An amount in CURRENCY: smaller ones are written as «<0.0001 USD»."""

KIBIBYTE = 1 << 10
"""In bytes."""

MEBIBYTE = 1 << 20
"""In bytes."""

GIBIBYTE = 1 << 30
"""In bytes."""

YEAR_SECONDS = 365.25 * 86_400
"""Seconds of a year."""

MANY_YEARS_SECONDS = 1e9
"""A time span from which on it is written in years: a limit that nobody will reach."""

DECADES = (1e-3, 1e5)
"""Powers of ten from the first of these to below the second are written out on axes; others have an exponent."""

LIKENESS = 0.6
"""Least similarity of a name to a misspelt one, as difflib measures it (`SequenceMatcher.ratio`); difflib's own default."""


def number(value: float | None) -> str:
    """Write an objective or a count: six significant digits, and the thousands of a whole number set apart («12 500»).

    Args:
        value: An objective or a count.

    Returns:
        «–» for None and for what isn't finite.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < LARGEST_WHOLE):
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.{OBJECTIVE_DIGITS}g}"


def exact(value: float) -> str:
    """Write a number with all its digits, for a form that reads it back."""
    return f"{value:.{EXACT_DIGITS}g}"


def power_of_ten(value: float) -> str:
    """Write a power of ten for an axis: «0.001», «1000», «1e-5», «1e5»."""
    least, beyond = DECADES
    return f"{value:g}" if least <= value < beyond else f"1e{round(math.log10(value))}"


def short(value: Any) -> str:
    """Write a difference, a gain or the value of a hyperparameter: four significant digits of a float, anything else as it is."""
    return f"{value:.{SHORT_DIGITS}g}" if isinstance(value, float) else str(value)


def difference(value: float, of: float | None) -> str:
    """Write a difference between two objectives: «0» where it is smaller than the digits that objectives are written with.

    Args:
        value: The difference.
        of: One of the objectives; None where there is none.
    """
    return "0" if abs(value) < abs(of or 0.0) * 10.0**-OBJECTIVE_DIGITS else short(float(value))


def gain(value: float, best: float | None) -> str:
    """Write a gain, and which share of the best objective it is: «0.017 (1.7 %)».

    Args:
        value: The gain.
        best: The best objective; a share of it is left out where it is nearly 0, and the share would say nothing.
    """
    text = difference(value, best)
    return f"{text} ({percent(abs(value / best))})" if text != "0" and best and abs(value) < abs(best) else text


def loss(value: float, best: float | None, digits: int = SHARE_DIGITS) -> str:
    """Write by how much an objective is worse than the best one: «1.7 %», or in its own units where the best is nearly 0.

    Args:
        value: The loss, from 0 on.
        best: The best objective.
        digits: Significant digits of the percentage.
    """
    return percent(value / abs(best), digits) if best and value < abs(best) else short(float(value))


def short_text(text: str) -> str:
    """Write the value of a hyperparameter that a request gives as text («0.081340001» → «0.08134»)."""
    if not any(sign in text for sign in ".eE"):
        return text
    try:
        return short(float(text))
    except ValueError:
        return text


def configuration(hyperparameters: Mapping[str, Any]) -> str:
    """Write a configuration in one line: «eta=0.08134 depth=6». Values may be texts, as in a request."""
    pairs = (
        (name, short_text(value) if isinstance(value, str) else short(value)) for name, value in hyperparameters.items()
    )
    return " ".join(f"{name}={value}" for name, value in pairs)


def percent(share: float | None, digits: int = SHARE_DIGITS) -> str:
    """Write a share in [0, 1] as a percentage: «4.2 %», «<0.01 %»; «–» for None.

    Args:
        share: 1 stands for 100 %.
        digits: Significant digits.
    """
    if share is None:
        return UNKNOWN
    value = 100 * share
    if 0 < value < SMALLEST_PERCENT:
        return f"<{SMALLEST_PERCENT} %"
    if 100 - SMALLEST_PERCENT < value < 100:
        return f">{100 - SMALLEST_PERCENT} %"
    digits += LEAST_OF_ALMOST_ALL < value < 100
    return f"{value:.{digits}g} %" if abs(value) < 1000 else f"{number(round(value))} %"


def money(amount: float | None) -> str:
    """Write an amount of money with its currency and two decimals: «12.50 USD»; «–» for None.

    Args:
        amount: In CURRENCY.
    """
    if amount is None:
        return UNKNOWN
    if 0 < amount < SMALLEST_MONEY:
        return f"<{SMALLEST_MONEY} {CURRENCY}"
    digits = f"{amount:.2f}" if amount >= SMALLEST_IN_CENTS or amount == 0 else f"{amount:.2g}"
    return f"{digits} {CURRENCY}"


def size(count: int) -> str:
    """Write a number of bytes: «0.3 MiB», «3.2 GiB».

    Args:
        count: The number of bytes.
    """
    return f"{count / GIBIBYTE:.1f} GiB" if count >= GIBIBYTE else f"{count / MEBIBYTE:.1f} MiB"


def bytes_of(count: int) -> str:
    """Write the size of a file: «312 bytes», «4.2 KiB», «3.2 GiB».

    Args:
        count: The number of bytes.
    """
    if count < KIBIBYTE:
        return count_of(count, "byte")
    return f"{count / KIBIBYTE:.1f} KiB" if count < MEBIBYTE else size(count)


def duration(seconds: float | None) -> str:
    """Write a time span: «3.2 s», «45 s», «12 min 05 s», «3 h 07 min», «317 years»; «–» for None and for one without end.

    Args:
        seconds: The time span in seconds; a negative one is written as «0.0 s».
    """
    if seconds is None or seconds == math.inf:
        return UNKNOWN
    if seconds >= MANY_YEARS_SECONDS:
        return f"{seconds / YEAR_SECONDS:.3g} years"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def seconds_between(begin: datetime | None, end: datetime | None) -> str:
    """Write the time from one instant to another; «–» when one of them isn't known."""
    return UNKNOWN if begin is None or end is None else duration((end - begin).total_seconds())


def estimate(low: float, middle: float, high: float, write: Callable[[float], str] = number) -> str:
    """Write an estimate with its range: «12 (7 to 31)»; no range when both of its ends are written alike.

    Args:
        low: The lower end of the range.
        middle: The estimate.
        high: The upper end of the range.
        write: How one number is written, for example `duration` or `money`.
    """
    first, best, last = write(low), write(middle), write(high)
    return best if first == last else f"{best} ({first} to {last})"


def count_of(count: int, thing: str = "training job") -> str:
    """Write how many there are: «1 training job», «12 training jobs». `thing` is a noun whose plural ends in -s."""
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def closest(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the known name that `word` is most like, or None when none is like enough.

    Case, hyphens, and camelCase against snake_case make no difference: «MaxJobs», «max-jobs» and «max_jobs» are alike.

    Args:
        word: A name as somebody typed it.
        known: The names that exist.
        likeness: The least similarity, in [0, 1], that counts; 0 always returns the nearest name.
    """
    plain: dict[str, str] = {}
    for name in known:
        plain.setdefault(_plain(name), name)
    near = difflib.get_close_matches(_plain(word), plain, 1, likeness)
    return plain[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str:
    """Return the sentence that helps somebody who typed a name that doesn't exist.

    Args:
        word: A name as somebody typed it.
        known: The names that exist.
        likeness: The least similarity, in [0, 1], that counts; 0 always names the nearest one.

    Returns:
        «Did you mean eta?», or «Known: depth, eta.» when no known name is like `word`, or «There are none.»

    Example:
        >>> did_you_mean("max_job", ["max_parallel", "max_jobs"])
        'Did you mean max_jobs?'
    """
    names = list(known)
    near = closest(word, names, likeness)
    if near is not None:
        return f"Did you mean {near}?"
    return f"Known: {', '.join(names)}." if names else "There are none."


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
