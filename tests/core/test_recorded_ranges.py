"""What ranges answer, on a grid of values and coordinates, is what ranges.json says: whoever changes it, means to.

`python -m tests.core.test_recorded_ranges` writes the file anew; git then shows what the change means for users.
"""

import json
import math
from pathlib import Path

import pytest

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.conditions import alternatives
from alfine.core.field import Face
from alfine.core.range_words import scaling_of, values_in_words, whole_numbers
from alfine.core.ranges import ROUNDING, single_value_fault, values_of
from tests.recorded import lines

FILE = Path(__file__).with_name("ranges.json")

RANGES = [
    Continuous(0, 1),
    Continuous(-5, 5.0),
    Continuous(0.001, 0.1),
    Continuous(0.001, 0.099),
    Continuous(1, 3, scaling="Logarithmic"),
    Continuous(0.5, 0.95, scaling="ReverseLogarithmic"),
    Continuous(0, 1, step=0.25),
    Continuous(0, 1.1, step=0.25, requires=[{"x": 1}, {"y": "> 2", "z": "a"}]),
    Continuous(1, 9, step=2, scaling="Logarithmic", optional=True),
    Continuous(3.5, 3.5),
    Continuous(0, 0),
    Continuous(-2, -2, step=1),
    Integer(1, 4),
    Integer(-2, 2, requires="x = 1", optional=True),
    Integer(1, 999),
    Integer(1, 1000),
    Integer(2, 9, scaling="Logarithmic"),
    Integer(0, 9, step=3),
    Integer(0, 8, step=3),
    Integer(1.0, 8.0, step=2.0),
    Integer(1, 100, step=33, scaling="Logarithmic"),
    Integer(7, 7),
    Integer(1, 4_000_000, scaling="Linear"),
    Categorical(["adam", "sgd", "lamb"]),
    Categorical([True, 1, "1", "true"]),
    Categorical([1, 0.5, None, "x", "null"]),
    Categorical(list("abcdefgh")),
    Categorical(list("abcdefghi"), optional=True),
    Categorical([2]),
]

FAULTY = [
    Continuous(0, math.inf),
    Continuous(math.nan, 1),
    Continuous(-1e308, 1e308),
    Continuous(2, 1),
    Continuous(0.01, -1e308),
    Continuous(0, 1, scaling="Log"),
    Continuous(0, 1, scaling="Logarithmic"),
    Continuous(1e-300, 1, scaling="Logarithmic"),
    Continuous(0, 1, scaling="ReverseLogarithmic"),
    Continuous(-0.1, 0.9, scaling="ReverseLogarithmic"),
    Continuous(0, 0.9, scaling="ReverseLogarithmic"),
    Continuous(0, 1, step=0),
    Continuous(0, 1, step=1),
    Continuous(0, 1, step=1.5),
    Continuous(2, 1, step=0),
    Integer(2, 1),
    Integer(0, 9, scaling="Logarithmic"),
    Integer(0, 9, scaling="ReverseLogarithmic"),
    Integer(1, 9, scaling="ReverseLogarithmic"),
    Integer(0, 9, step=1.5),
    Integer(0, 9, step=-1),
    Integer(5, 5),
    Continuous(5, 5),
    Categorical([]),
    Categorical(["a"]),
    Categorical(["b", "a", "b", "a", 1, 1]),
]

PLACES = (0.0, 0.1, 0.25, 0.26, 0.4, 0.5, 0.75, 0.9, 1.0)
PROBES = (0, 1, 2, 7, 0.5, 1.0, 1.5e-6, True, "1", "sgd", None, math.nan, math.inf)
TEXTS = ("1", "x", "true")
UNREADABLE = ["abc", {"a"}, frozenset("a"), 5, None]


def plain(value):
    """A number with the digits that every machine's libm agrees about; anything else as it is written."""
    if isinstance(value, list | tuple):
        return f"({', '.join(map(plain, value))})"
    return f"{value:.10g}" if isinstance(value, float) else repr(value)


def tried(call, *arguments):
    """What a call returns, or its error."""
    try:
        return plain(call(*arguments))
    except (ValueError, TypeError, OverflowError) as error:  # InvalidSpec too
        return type(error).__name__


def table(call, arguments):
    """What a call returns for each of several values."""
    return {written(argument): tried(call, argument) for argument in arguments}


def written(value):
    """A value of which 1, 1.0 and True are told apart, and 1.000000000001 from 1.0."""
    return f"{value:.13g}{'' if value % 1 or math.isinf(value) else '.0'}" if isinstance(value, float) else repr(value)


def compared(range_, signs, most=20):
    """Where on the axis a comparison holds, how many values lie there, and for which it holds; or how its fault begins."""
    ((clause,),) = alternatives({"v": signs})
    fault = "".join(text.rpartition("»")[2].strip(": ")[:most] for text in range_.clause_faults(clause))
    if fault:
        return fault
    places = range_.where(clause)
    counts = [range_.count(*place) for place in places]
    held = [value for value in values_of(range_) if range_.holds(clause, value)] if range_.cells < 10 else []
    told = [f"at {plain(places)}" if places else "nowhere"]
    told += [f"{plain(counts)} values"] if range_.cells < math.inf else []
    return ", ".join([*told, *([f"of {plain(held)}"] if held else [])])


def placed(range_, value):
    """Whether a value is inside, where on the axis it lies, and its text."""
    inside = {True: "inside", False: "outside"}[range_.contains(value)]
    return ", ".join([inside, f"at {tried(range_.to_unit, value)}", f"text {tried(range_.to_text, value)}"])


def all_or_nothing(range_):
    """Whether a comparison with a single value holds nowhere on the axis, and its opposite everywhere."""
    ((equal,), (other,)) = alternatives([{"v": "= 2"}, {"v": "!= 2"}])
    return range_.where(equal) == [] and range_.where(other) == [(0.0, 1.0)]


def answers(range_):
    ends = [range_.low, range_.high] if range_.ordered else []
    rounding = ROUNDING * (range_.high - range_.low) if ends else 0
    beyond = [end + way * size for end, way in zip(ends, (-1, 1), strict=False) for size in (1e-12, 0.6, 1)]
    beyond += [end + way * rounding * size for end, way in zip(ends, (-1, 1), strict=False) for size in (1, 1.01)]
    probes = [*ends, *beyond, *PROBES] if range_.ordered else [*range_.values, *PROBES]
    bounds = (
        dict.fromkeys(sorted({*ends, *(round(end + way, 9) for end in ends for way in (-1, 0.2, 1))}))
        if ends
        else TEXTS
    )
    signs = {sign: [f"{sign} {bound}" for bound in bounds] for sign in (">", "<", ">=", "<=", "=", "!=")}
    finite = range_.cells < math.inf
    return {
        "cells, ordered": f"{plain(range_.cells)}, {range_.ordered}",
        "in words": f"{scaling_of(range_)}, {values_in_words(range_)}",
        "of whole numbers": repr(whole_numbers("v", range_)),
        "values": plain([*values_of(range_)[:12]]) if finite else "infinitely many",
        "value at a place": table(range_.from_unit, PLACES),
        "values inside and outside": {written(probe): placed(range_, probe) for probe in probes},
        "value of a text": table(range_.from_text, ["1", "2.0", "sgd", "null", '"1"']),
        "without a condition": repr(range_.requiring(())),
        **{sign: {words: compared(range_, words) for words in given} for sign, given in signs.items()},
        "list": compared(range_, [1, 3], most=None),
        "one value": "has no length" if not finite and all_or_nothing(range_) else "is a cell",
    }


def faults(range_):
    found = [*range_.faults("p"), *single_value_fault("p", range_)]
    return [f"{fault.path}: {fault.message}" for fault in found]


def refusal(call, *arguments):
    with pytest.raises(InvalidSpec) as caught:
        call(*arguments)
    return str(caught.value)


def of_all():
    refused = {plain(values): refusal(Categorical, values) for values in UNREADABLE}
    explained = whole_numbers("v", Integer(0, 8, step=3))
    return {
        "whole numbers explained": {face.name: explained.spelled(face) for face in Face},
        "faults": {repr(range_): faults(range_) for range_ in [*RANGES, *FAULTY]},
        "refused": refused
        | {
            "requires": refusal(lambda: Continuous(0, 1, requires="x if")),
            "a value": refusal(RANGES[-1].to_unit, 3),
        },
    }


def outcomes():
    return {"answers": {repr(range_): answers(range_) for range_ in RANGES}} | of_all()


@pytest.mark.parametrize("range_", RANGES, ids=repr)
def test_a_range_answers_as_recorded(range_):
    recorded = json.loads(FILE.read_text())["answers"][repr(range_)]
    for question, answer in answers(range_).items():
        assert answer == recorded[question], f"{question}: is the change meant? The module says how to record it."


def test_faults_of_ranges_are_the_recorded_ones():
    recorded = json.loads(FILE.read_text())
    assert [*recorded["answers"]] == [repr(range_) for range_ in RANGES]
    for part, now in of_all().items():
        assert now == recorded[part], "Is the change meant? The module says how to record it."


if __name__ == "__main__":
    FILE.write_text(lines(outcomes()) + "\n")
