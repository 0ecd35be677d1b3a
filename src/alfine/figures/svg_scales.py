"""Scales of a drawing: they turn values into pixels or colours, and choose the ticks of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from alfine.core.wording import percent, power_of_ten, short
from alfine.figures.svg_layer import Layer, Plain

Tick = tuple[float, str]
"""The pixel of a tick, and its label."""

VIRIDIS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Colours at even distances of the map «viridis» (van der Walt & Smith 2015), from dark to light."""

MOST_DIGITS = 8
"""Digits behind the point of a tick, at most."""

CATEGORICAL = ("nominal", "ordinal")
"""The types of channels whose values are categories."""

ROOM_AROUND_ONE = 0.05
"""Share of a single value by which its axis reaches to both sides."""

PLAIN_NUMBERS = (1e-4, 1e7)
"""Ticks from the first of these to below the second are written without an exponent."""


class PixelScale(Protocol):
    """Turns values of one kind into pixels."""

    @property
    def step(self) -> float:
        """Pixels from one category to the next; 0 for numbers."""
        ...

    def __call__(self, value: Any) -> float:
        """Return the pixel of a value."""
        ...

    def ticks(self, most: int, axis: Plain) -> list[Tick]:
        """Return the ticks, about `most`.

        Args:
            axis: The properties of the axis in the view.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """A scale of numbers.

    Attributes:
        low: The value at pixel `begin`.
        high: The value at pixel `end`.
    """

    low: float
    high: float
    begin: float
    end: float
    step: float = 0.0

    def __call__(self, value: Any) -> float:
        return self.begin + self._share(float(value)) * (self.end - self.begin)

    def _share(self, value: float) -> float:
        """Return how far a value is on the way from `low`, 0, to `high`, 1."""
        raise NotImplementedError


class Linear(_Numbers):
    """A linear scale."""

    def _share(self, value: float) -> float:
        return (value - self.low) / ((self.high - self.low) or 1.0)

    def ticks(self, most: int, axis: Plain) -> list[Tick]:
        """Return round numbers on the axis, at most `most`."""
        values = round_numbers(self.low, self.high, most)
        if "tickMinStep" in axis:
            values = [value for value in values if value.is_integer()]
        step = values[1] - values[0] if len(values) > 1 else values[0] if values else 1.0
        return [(self(v), percent(v) if "%" in axis.get("format", "") else tick_text(v, step)) for v in values]


class Logarithmic(_Numbers):
    """A logarithmic scale."""

    def _share(self, value: float) -> float:
        return math.log(value / self.low) / (math.log(self.high / self.low) or 1.0)

    def ticks(self, most: int, axis: Plain) -> list[Tick]:
        """Return powers of ten; 1, 2, 5 times such ones where there are few; the ends where there is no other."""
        first, last = math.floor(math.log10(self.low) - 1e-9), math.ceil(math.log10(self.high) + 1e-9)
        for digits in ((1,), (1, 2, 5)):
            found = [d * 10.0**p for p in range(first, last + 1) for d in digits]
            inside = [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
            if len(inside) > 2:
                break
        values = inside[:: max(1, -(-len(inside) // most))] if len(inside) > 1 else [self.low, self.high]
        write = percent if "%" in axis.get("format", "") else _power if len(inside) > 1 else short
        return [(self(value), write(value)) for value in values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """A scale of categories, each of which has a band; or a point, with half a band of room at both ends."""

    names: Sequence[Any]
    begin: float
    end: float
    points: bool = False

    @property
    def step(self) -> float:
        """Pixels from one category to the next."""
        return abs(self.end - self.begin) / max(1, len(self.names) - 1 if self.points else len(self.names))

    def __call__(self, value: Any) -> float:
        place = self.names.index(value) + (0.0 if self.points else 0.5)
        return self.begin + (self.step if self.end > self.begin else -self.step) * place

    def ticks(self, most: int, axis: Plain) -> list[Tick]:  # noqa: ARG002 - every category has a label
        """Return the names."""
        return [(self(name), str(name)) for name in self.names]


def scale_of(layers: Sequence[Layer], axis: str, begin: float, end: float) -> PixelScale | None:
    """Return the scale that all layers share on an axis, from one pixel to another; None where nothing has a place on it."""
    channels = list(_channels(layers, axis))
    if not channels:
        return None
    if (names := names_of(layers, axis)) is not None:
        points = axis == "x" and any(layer.mark["type"] == "line" for layer in layers)
        # Categories of the y-axis are read from the top.
        return Categories(names=names, begin=min(begin, end), end=max(begin, end), points=points)
    scales = [channel["scale"] for _, channel in channels if "scale" in channel]
    given = {key: value for scale in reversed(scales) for key, value in scale.items()}
    values = [float(row[c["field"]]) for layer, c in channels for row in layer.rows if row.get(c["field"]) is not None]
    low, high = given.get("domain") or _reach(values, from_zero=given.get("zero", True))
    kind = Logarithmic if given.get("type") == "log" else Linear
    return kind(low=float(low), high=float(high), begin=begin, end=end)


def names_of(layers: Sequence[Layer], axis: str) -> list[Any] | None:
    """Return the categories of an axis, in order; None where it has numbers."""
    found = [(layer, channel) for layer, channel in _channels(layers, axis) if channel.get("type") in CATEGORICAL]
    if not found:
        return None
    channel = found[0][1]
    if given := channel.get("scale", {}).get("domain"):
        return list(given)
    values = list(dict.fromkeys(row[c["field"]] for layer, c in found for row in layer.rows))
    return values if channel.get("sort", "") is None else sorted(values)


def _channels(layers: Sequence[Layer], axis: str) -> Iterator[tuple[Layer, Plain]]:
    for layer in layers:
        for name in (axis, f"{axis}2"):
            if "field" in layer.encoding.get(name, {}):
                yield layer, layer.encoding[name]


def _reach(values: Sequence[float], *, from_zero: bool) -> tuple[float, float]:
    """Return a range of round numbers around the values."""
    low, high = min([*values, *([0.0] if from_zero else [])], default=0.0), max(values, default=1.0)
    if low == high:
        room = abs(low) * ROOM_AROUND_ONE or 1.0
        return low - room, high + room
    step = round_step(low, high, 8)
    return step * (low // step), -step * (-high // step)


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers of a range, in ascending order."""
    if not (high > low and math.isfinite(high - low)):
        return [low]
    step = round_step(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def round_step(low: float, high: float, most: int) -> float:
    """Return the distance of at most `most` round numbers of a range: 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)


def tick_text(value: float, step: float) -> str:
    """Write a tick with as many digits as its distance to the next one needs."""
    if value == 0:
        return "0"
    finest = math.floor(math.log10(abs(step) or 1.0) + 1e-9)  # the power of ten of the last digit
    least, beyond = PLAIN_NUMBERS
    if least <= abs(value) < beyond:
        return f"{value:.{min(max(0, -finest), MOST_DIGITS)}f}"
    digits = min(max(0, math.floor(math.log10(abs(value)) + 1e-9) - finest), MOST_DIGITS)
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def ramp(share: float) -> str:
    """Return the colour of VIRIDIS at a place from 0 to 1."""
    place = min(1.0, max(0.0, share)) * (len(VIRIDIS) - 1)
    low, high = list(pairwise(VIRIDIS))[min(int(place), len(VIRIDIS) - 2)]
    rest = place - min(int(place), len(VIRIDIS) - 2)
    parts = [(int(low[i : i + 2], 16), int(high[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + rest * (b - a)):02x}" for a, b in parts)


def _power(value: float) -> str:
    return power_of_ten(value) if math.log10(value).is_integer() else short(value)
