"""Where the values of ranges and spaces lie on their axes, and what conditions leave of them, is what spaces.json says.

`python -m tests.core.test_recorded_spaces` writes the file anew; git then shows which values, places or errors have changed.
"""

import math
from functools import partial
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest

from alfine import Categorical, Continuous, Integer
from alfine.core.axis import AxisScale, beside, chosen_scaling, joined, rest, scale_of
from alfine.core.conditional_space import AxisPart, faults
from alfine.core.conditions import ORDERS, Clause, combination
from alfine.core.space import ParameterSpace
from alfine.core.steps import step_faults, steps_of
from tests.core.test_conditional_space import FINITE, FORBIDDEN, NETWORK
from tests.recorded import check, refused, write

FILE = Path(__file__).with_name("spaces.json")
PLACES = (0.0, 0.001, 0.24, 0.25, 0.26, 0.5, 0.74, 0.75, 0.999, 1.0)
OPERATORS = ("is", "is-not", *ORDERS)

STEPS = (
    (0, 1, 0.1, "Linear"),
    (1, 12, 3, "Linear"),
    (-3, 3, 1.5, "Linear"),
    (0.1, 0.1, 0.1, "Linear"),
    (0.5, 8, 0.5, "Logarithmic"),
    (10, 100, 30, "Logarithmic"),
    (0.5, 0.99, 0.07, "ReverseLogarithmic"),
    (0, 1, 1e-6, "Linear"),
)


def steps(low, high, step, scaling):
    """All that is asked of the values of a step: at, between and beyond them."""
    found = steps_of(low, high, step, scaling)
    last = found.value(found.count - 1)
    at = [low - step, low, low + 0.49 * step, low + 0.5 * step, low + step, last, last + 0.6 * step, last + 5 * step]
    near = [*at, low + step * (1 + 5e-7), low - 9e-7 * step, low + step * (1 + 2e-6), last + 2e-6 * step, math.inf]
    clauses = [Clause("x", operator, (repr(value),)) for operator in OPERATORS for value in (*at[:2], *at[3:7])]
    clauses += [Clause("x", operator, (repr(low), repr(last))) for operator in OPERATORS]
    return {
        "values": list(islice(found.values(), 12)),
        "axis": {"count": found.count, "last": last, "low": found.scale.low, "high": found.scale.high},
        "index": [found.index(value) for value in at],
        "to_unit": [found.to_unit(value) for value in at],
        "from_unit": [found.from_unit(place) for place in PLACES],
        "has": "".join("ny"[found.has(value)] for value in near),
        "covered": [found.covered(*ends) for ends in ((0.0, 1.0), *rest(found.where(Clause("x", "is", (repr(low),)))))],
        "of cells": [
            found.covered(*cell) for value in (low, last) for cell in found.where(Clause("x", "is", (repr(value),)))
        ],
        "where": {str(clause): found.where(clause) for clause in clauses},
    }


def many_steps():
    """How many configurations there are of a range with very many steps that a condition divides."""
    found = {}
    for high, scaling in product((10, 4 * 10**9), ("Linear", "Logarithmic")):
        many = Integer(1, high, step=2, scaling=scaling)
        ranges = {"n": many, "c": Categorical(["a", "b"], requires=f"n = {high // 4 * 2 + 1}")}
        found[f"{high} {scaling}"] = str(space(ranges).structure.survey.size)
    return found


def sizes():
    """The number of configurations at and beyond the largest that is counted, with conditions and without."""
    return {
        f"{more or '2**53'}{', with conditions' if optional else ''}": str(
            space({"a": Integer(1, 2**27, optional=optional), "b": Integer(1, 2**26 + more)}).size
        )
        for optional in (False, True)
        for more in (-1, 0, 1)
    }


def step_messages():
    ends = [(0, 1), (0, 10), (5, 5), (-5.5, 4.5), (0, 2.0**53), (0, 2.0**54), (-(2.0**53), 2.0**53)]
    given = [None, 0, -1, 1, 1.0, 1.5, 2, 10, 10.5, True, "1", math.inf, math.nan]
    found = {
        f"{low!r} to {high!r}, step {step!r}{', whole' if whole else ''}": step_faults(low, high, step, whole=whole)
        for (low, high), step, whole in product(ends, given, (True, False))
    }
    return {name: " ".join(faults) for name, faults in found.items() if faults}


def scales():
    found = {
        "linear": scale_of("Linear", -2.0, 6.0),
        "logarithmic": scale_of("Logarithmic", 0.01, 100.0),
        "reverse": scale_of("ReverseLogarithmic", 0.0, 0.999),
        "squares": AxisScale(math.sqrt, lambda root: root * root, 1.0, 9.0),
    }
    return {
        name: {
            "inside": [scale.to_unit(scale.low + share * (scale.high - scale.low)) for share in (0.1, 0.5, 0.9)],
            "below": scale.to_unit(scale.low / 2 if scale.low > 0 else scale.low),
            "at its end and above": [scale.to_unit(scale.high), scale.to_unit(scale.high + 0.0005)],
            "from_unit": [scale.from_unit(place) for place in (-0.1, *PLACES, 1.1)],
        }
        for name, scale in found.items()
    }


def choices():
    ends = [(0, 100), (0.0, 1.0), (-1, 100), (1, 99.9), (1, 100), (0.001, 0.1), (5, 5)]
    return {
        f"{scaling}, {low} to {high}": chosen_scaling(scaling, low, high, 100.0)
        for scaling in ("Auto", "Linear", "ReverseLogarithmic")
        for low, high in ends
    }


def intervals():
    unions = [
        [],
        [(0.2, 0.4), (0.4, 0.6)],
        [(0.5, 0.6), (0.0, 0.1)],
        [(0.1, 0.9), (0.2, 0.3), (0.85, 0.95)],
        [(0.3, 0.3), (0.7, 0.2)],
        [(0.0, 0.5), (0.5, 1.0)],
        [(0.0, 0.25), (0.75, 1.0)],
    ]
    part = AxisPart(((0.0, 0.25), (0.5, 0.75)), 2)
    return {
        "unions": {str(union): {"joined": joined(union), "rest": rest(joined(union))} for union in unions},
        "sides": {operator: [beside(operator, edge) for edge in (0.0, 0.3, 1.0)] for operator in ORDERS},
        "length of a part": part.length,
        "places in a part": [part.place(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
    }


# -- spaces ----------------------------------------------------------------------------------------------------------


def space(ranges, *forbidden):
    return ParameterSpace(ranges, tuple(map(combination, forbidden)))


SPACES = {
    "plain": space({"rate": Continuous(0.001, 1), "n": Integer(1, 5), "c": Categorical(["p", "q", 3]), "m": Integer(7, 7)}),
    "conditions": space(NETWORK),
    "forbidden": space(FINITE, *FORBIDDEN),
    "of one value": space({"n": Integer(3, 3), "c": Categorical(["only"], requires="n = 3")}),
    "optional": space(
        {"c": Categorical(["u", "v"], optional=True), "x": Continuous(0, 4, step=0.5, optional=True), "d": Integer(1, 2, requires="c = u")}
    ),
    "continuous": space(
        {"x": Continuous(0, 1), "y": Continuous(0.01, 100, requires="x >= 0.25"), "z": Continuous(0.9, 0.999, scaling="ReverseLogarithmic")},
        "x < 0.5 and y > 1", "x > 0.9", {"z": "<= 0.99", "y": "< 0.1"},
    ),
    "order": space(
        {"late": Integer(1, 4, requires=[{"mid": ["b", "c"]}, {"first": 9}]), "mid": Categorical(["a", "b", "c"], requires="first > 2"), "first": Integer(1, 9, step=2)},
        "first = 5 and mid = a", "late = 2",
    ),
    "one left": space({"a": Integer(1, 40), "b": Integer(1, 40)}, "a != 7", "b != 8"),
    "odd categories": space({"c": Categorical([[1], {"a": 2}]), "n": Integer(1, 2, requires="c = [1]")}, "n = 2"),
    "large": space({"a": Integer(1, 2**27), "b": Integer(1, 2**26), "c": Categorical([1, 2], requires="a < 5")}, "a = 1"),
}  # fmt: skip


def summary(survey):
    """The size as text: every configuration counts."""
    shares = {"share": survey.share, "active": survey.active, "forbidding": survey.forbidding[:3]}
    return {"size": str(survey.size), **shares, "exact": survey.exact}


def box_of(found, box):
    parts = {found.names[j]: {"in": part.intervals, "values": part.count} for j, part in box.parts.items()}
    return {**parts, "volume": box.volume, "forbidden": box.forbidden}


def whole(found):
    """What a space is as a whole."""
    axes = {"categorical": found.categorical, "logarithmic": found.logarithmic, "cells": found.cells}
    result = {"names": found.names, "dimension": found.dimension, **axes, "size": str(found.size)}
    if found.structure is None:
        return result
    structure = found.structure
    places = {"order": structure.order, "stretch": structure.stretch, "inactive": structure.inactive}
    boxes = [box_of(found, box) for box in structure.boxes[:12]]
    return {**result, **places, "survey": summary(structure.survey), "boxes": boxes}


def points(found):
    """Where points of the cube lie, at random and on edges."""
    rng = np.random.default_rng(5)
    edges = np.array([[place] * found.dimension for place in (0.0, 0.5, 0.75, 1.0)])
    given = np.concatenate([rng.random((5, found.dimension)), edges])
    configurations = [found.from_unit(point) for point in given]
    return {
        "configurations": configurations,
        "places": [found.to_unit(each) for each in configurations],
        "snapped": found.snap(given),
        "settled": found.settle(given),
        "settled again": found.settle(found.settle(given)),
        "active": ["".join("ny"[int(on)] for on in row) for row in found.active(given)],
        "feasible": found.feasible(given),
        "of another dimension": [
            str(refused(partial(found.from_unit, np.zeros(found.dimension + more)))).partition(":")[0]
            for more in (-1, 1)
        ],
        "allows": "".join("ny"[found.allows(each)] for each in configurations),
    }


def drawn(found):
    """What is drawn and listed."""
    listed = list(islice(found.grid(), 24)) if found.size and found.size < 1e6 else []
    rngs = [np.random.default_rng(seed) for seed in range(6)]
    few = found.structure and found.structure.draw(np.random.default_rng(3), 4)
    return {
        "sampled": [found.sample(np.random.default_rng(seed)) for seed in range(3)],
        "drawn": found.draw(np.random.default_rng(1), 5),
        "in boxes": few,
        "grid": [list(each.values()) for each in listed],
        "counts": [len(found.draw(rng, count)) for count, rng in enumerate(rngs)],
        "drawn after that": [rng.random() for rng in rngs],
    }


def spoiled(found):
    """What is said of configurations that lack, exceed or add something, and what becomes of them."""
    whole_one = found.sample(np.random.default_rng(4))
    given = {
        "whole": whole_one,
        "added": {**whole_one, "other": 1},
        **{f"without {name}": {k: v for k, v in whole_one.items() if k != name} for name in whole_one},
        **{f"large {name}": {**whole_one, name: 1e9} for name in found.names},
        **{f"small {name}": {**whole_one, name: -5} for name in found.names},
        **{
            f"{value!r} {name}": {**whole_one, name: value}
            for name in found.names[:1]
            for value in (True, math.nan, "x", 1, 0.6)
        },
    }
    calls = {"check": found.check, "whole": found.is_whole, "clipped": found.clipped, "text": found.to_text}
    rows = {name: [refused(partial(call, each)) for call in calls.values()] for name, each in given.items()}
    return {"columns": [*calls], **rows}


def texts(found):
    whole_one = found.to_text(found.sample(np.random.default_rng(6)))
    given = [whole_one, {}, *({k: v for k, v in whole_one.items() if k != name} for name in whole_one)]
    given += [{**dict.fromkeys(found.names, "1"), **whole_one}, {**whole_one, found.names[0]: "no value"}]
    return [refused(partial(found.from_text, each)) for each in given]


IMPOSSIBLE = {
    "circle": ({"a": Integer(1, 2, requires="b = 1"), "b": Integer(1, 2, requires="a = 1"), "c": Integer(1, 2)}, ()),
    "itself": ({"a": Integer(1, 2, requires="a = 1 and b = 2")}, ("c = 1",)),
    "never": ({"a": Integer(1, 3), "b": Integer(1, 2, requires=["a = 3", "a = 2"])}, ("a >= 2",)),
    "nothing": ({"a": Categorical(["x", "y"])}, ("a = x", "a = y")),
    "wrong clauses": (
        {"a": Categorical(["x"], requires="b = z"), "b": Categorical(["y"])},
        ("a > 1", "a = x and b = q"),
    ),
    "possible": ({"a": Integer(1, 3), "b": Integer(1, 2, requires="a = 3")}, ("a = 1",)),
}


def impossible():
    return {
        name: [str(fault) for fault in faults(ranges, tuple(map(combination, forbidden)), "requires", "forbid")]
        for name, (ranges, forbidden) in IMPOSSIBLE.items()
    }


def estimated():
    """Of a space with too many boxes, of one that has hardly any allowed point, and of one whose boxes are known."""
    ranges = {f"c{i}": Categorical(list("abcde"), requires=f"c{i - 1} != a" if i % 5 == 1 else ()) for i in range(12)}
    forbidden = [{f"c{i}": "a", f"c{(i + 1) % 12}": v} for i in range(12) for v in "bcd"]
    found, few = space(ranges, *forbidden), space(ranges, *forbidden, *(f"c{i} != c" for i in range(7, 12)))
    assert found.structure.boxes is None
    surveys = found.structure.survey, SPACES["conditions"].structure._estimated()
    rng = np.random.default_rng(0)
    drawn = len(found.structure.draw(rng, 2)), [few.from_unit(point) for point in few.draw(rng, 2)]
    return {
        "of too many boxes": summary(surveys[0]),
        "of known boxes": summary(surveys[1]),
        "drawn from too many boxes": drawn[0],
        "drawn where hardly any is allowed": drawn[1],
        "drawn after that": rng.random(),
        "size": str(found.size),
    }


CASES = {
    **{f"steps {each}": partial(steps, *each) for each in STEPS},
    **{
        case.__name__: case
        for case in (many_steps, sizes, step_messages, scales, choices, intervals, impossible, estimated)
    },
    **{
        f"{case.__name__} {name}": partial(case, found)
        for case in (whole, points, drawn, spoiled, texts)
        for name, found in SPACES.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_ranges_and_spaces_are_the_recorded_ones(name):
    check(FILE, name, CASES[name])


if __name__ == "__main__":
    write(FILE, CASES)
