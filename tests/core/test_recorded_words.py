"""How values, conditions, messages and verdicts are written and read is what words.json says: what people read in every table and sentence.

`python -m tests.core.test_recorded_words` writes the file anew; git then shows which words have changed.
"""

import math
import pickle
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from alfine.core import wording
from alfine.core.conditions import Clause, Entry, alternatives, as_text, combination, number_of, read, words, write
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Face
from alfine.core.fields import FIELDS
from alfine.core.messages import from_aws, naming, spelled, spelled_error
from alfine.core.tokens import Tokens
from alfine.core.verdict import UNDECIDED, Outlook, Verdict, as_it_ended, in_seconds, strongest
from tests import recorded
from tests.building import EPOCH
from tests.recorded import check, refused

FILE = Path(__file__).with_name("words.json")

GIVEN = {
    "number": [0, 1, -1, 999, 1000, 1e12 - 1, 1e12, -1e12, 10**15, 0.1234565, 1234567.8, 1e-7, -0.0, math.inf, math.nan, None],
    "exact": [0.1, 1 / 3, 1e22, 5.0],
    "power_of_ten": [1e-4, 1e-3, 0.01, 1.0, 1e4, 1e5, 1e-10, 1e10],
    "short": [0.1 + 0.2, 12345.6, 12345, "0.123456", None, 1e-9, 2.0],
    "short_text": ["0.123456", "123456", "1e5", "1E5", "1.5.2", "e", "abc", "", "nan", "-0.00012345678"],
    "duration": [None, math.inf, -3.0, 0.0, 9.94, 9.95, 10.4, 99.4, 99.5, 100, 3599.4, 3599.5, 3600, 86_400, 1e9 - 1, 1e9, 31.7501 * 365.25 * 86_400, 31.7499 * 365.25 * 86_400, 3.2e10],
    "percent": [None, 0.0, 9.9e-5, 1e-4, 1.01e-4, 0.5, 0.12345, 0.9989, 0.999, 0.9991, 0.99985, 0.9999, 0.99990001, 1.0, 1.0006, 1.0001, 9.99, 10.0, 12.3456, -0.2, -9.99, -10.0, -50.0],
    "money": [None, 0.0, 0.00005, 0.0001, 0.000123, 0.0995, 0.1, 0.1049, 1.0, 1234.5, -0.5],
    "size": [0, 2**20, 2**30 - 1, 2**30, 5 * 2**30],
    "bytes_of": [0, 1, 2, 1023, 1024, 2**20 - 1, 2**20, 2**30, 3 * 2**31],
    "count_of": [0, 1, 2, 12_500, -1],
}  # fmt: skip


def written():
    return {name: {repr(value): getattr(wording, name)(value) for value in given} for name, given in GIVEN.items()}


def written_of_two():
    pairs = [(0.017, 1.0), (1e-6, 1.0), (0.99e-6, 1.0), (1.01e-6, 1.0), (-0.3, 0.5), (0.5, 0.5), (0.6, 0.5), (-0.6, 0.5), (0.0, 0.0), (0.0, None), (0.2, -4.0), (0.2, None), (3, 40), (1e-7, 0.0), (1e-7, None)]  # fmt: skip
    estimates = [(1, 2, 3), (1, 1, 1), (1, 2, 1), (2, 2, 3), (1.0, 2.0, 2.0)]
    instants = [None, EPOCH, EPOCH + timedelta(seconds=75)]
    return {
        "difference": {str(pair): wording.difference(*pair) for pair in pairs},
        "gain": {str(pair): wording.gain(*pair) for pair in pairs},
        "loss": [wording.loss(*pair) for pair in pairs if pair[0] >= 0] + [wording.loss(0.123456, 1.0, 2)],
        "percent, of more digits": [wording.percent(share, 5) for share in (0.123456789, 0.9995)],
        "estimate": [wording.estimate(*each) for each in estimates] + [wording.estimate(60, 90, 7200, wording.duration)],
        "seconds_between": [wording.seconds_between(begin, end) for begin in instants for end in instants],
        "count_of": [wording.count_of(count, "value") for count in (0, 1, 7)],
        "configuration": [wording.configuration(each) for each in ({}, {"a": 0.12345}, {"a": "0.12345", "b": "x", "c": 1, "d": None})],
    }  # fmt: skip


def names():
    known = ["max_jobs", "max_parallel", "maxParallel", "eta", "HTTPPort", "learning-rate"]
    given = [
        "maxjobs",
        "MaxJobs",
        "MAX_JOBS",
        "max-parallel",
        "httpPort",
        "http_port",
        "LearningRate",
        "etas",
        "zeta",
        "x",
        "",
    ]
    rows = {
        name: [wording.closest(name, known), wording.closest(name, known, 0.9), wording.closest(name, known, 0.0)]
        for name in given
    }
    said = {name: wording.did_you_mean(name, known) for name in given}
    none = {"of none": wording.did_you_mean("a", []), "of one, however unlike": wording.did_you_mean("x", ["b"], 0.0)}
    return {"columns, by likeness": ["by default", 0.9, 0.0], **rows, "did you mean": {**said, **none}}


# -- conditions --------------------------------------------------------------------------------------------------------

TEXTS = [
    "a=1", "a == 1 and b!=x", "a is 1 or 2 b is-not x", "a>=1 a<=2 a>0 a<9", "a at-least 1 / b below 2", "m if a = 1", "m if a = 1 / n if b > 2 and c is d",
    "", "/", "a = 1 /", "a = 1 / / b = 2", "if a = 1", "m if", "a", "a =", "a = and", "a ! 1", "= 1", "and a = 1", "a = 1 and and b = 2", "a = 1 or", "a = 1 b", "a 1",
    "'a b' = \"c = d\"", "'and' = 'or'", "a = 'x", "@61@62 = @C3@BC@", "a = @", "@ = @2F", "a = @FF", "a = @6", "a is or", "'if' is if", "if if if = 1", "a = 1 if b = 2",
]  # fmt: skip
GIVENS = [
    {"a": 1}, {"a": "> 0.5"}, {"a": ">=0.5 "}, {"a": " != x y "}, {"a": "= "}, {"a": ["p", 2, True, None]}, {"a": ("x",)}, {"a": range(3)}, {"a": set()}, {"a": []}, {"a": 1.0, "b": "x"},
    {}, [], (), None, "", "a = 1", "a = 1 / b = 2", "m if a = 1", ["a = 1", {"b": 2}], ({"a": 1}, "b = 2"), 3, [3], len, {1: 2}, [()], ((Clause("a", "is", ("1",)),),),
]  # fmt: skip
CLAUSES = [Clause("x", operator, values) for operator in ("is", "is-not", "above", "below", "at-least", "at-most") for values in (("2",), ("1", "3"))]  # fmt: skip


def read_texts():
    return {text: refused(partial(read, text)) for text in TEXTS}


def given_conditions():
    return {
        str(given): {"one": refused(partial(combination, given)), "several": refused(partial(alternatives, given))}
        for given in GIVENS
    }


def clauses():
    held = {
        str(clause): "".join(
            "ny"[clause.holds(str(n), number)] for n in (1, 2.0, 2, 3, 4) for number in (float(n), None)
        )
        for clause in CLAUSES
    }
    entries = [Entry((clause,), subject) for clause in CLAUSES[:3] for subject in (None, "m", "if", "")]
    entries.append(
        Entry((Clause("and", "is", ("x y", "ü", "@", "/", "above", "a/b-c.d:e+f_g", "a=b")), CLAUSES[5]), "näh")
    )
    texts = [write(entries[n : n + 2]) for n in range(0, len(entries), 2)]
    again = [read(text) == entries[2 * n : 2 * n + 2] for n, text in enumerate(texts)]
    return {
        "hold for 1, 2.0, 2, 3, 4 as numbers and as texts": held,
        "written": texts,
        "read again": again,
        "words": words(tuple(CLAUSES[:3])),
    }


def constants():
    given = [1, 1.5, "x", True, None, [1], {"a": 2}]
    texts = ["1", "1e3", "inf", "nan", "x", "", "-0.5", " 2 "]
    return {
        "as text": {repr(value): as_text(value) for value in given},
        "numbers": {text: number_of(text) for text in texts},
    }


def tokens():
    marks = ("==", "=", "(", ")", ",")
    found = {}
    for text in ("a==b=(c,'d e')", " x\t(y )", "''=\"=\"", "a'b c'", "=", ""):
        left = Tokens(text, marks, path="here")
        seen = []
        while left:
            seen.append({"where": left.where(), "next": left.peek(1).text, "taken": str(left.take())})
        end = {"end": str(left.take()), "none is taken": left.take_if("", "="), "error": str(left.unreadable("why."))}
        found[text] = {"tokens": seen, "where": left.where(), **end}
    some = Tokens("a = b = c", ("=",))
    first = some.take()
    taken = [some.take_if("x", "="), some.take_if("="), some.peek().text]
    some.put_back(first)
    put_back = {"next": some.peek().text, "after it": some.peek(1).text, "left": bool(some)}
    errors = {"where": some.where(first), "error": str(some.unreadable("why.", first))}
    return {**found, "taken": taken, "put back": {**put_back, **errors}}


# -- messages ----------------------------------------------------------------------------------------------------------


def paths():
    """Where each reader finds a field that stands at a path of the request, and what follows it there."""
    inside = "TrainingJobDefinitions[1]"
    given = {path for field in FIELDS for path in field.paths}
    given |= {f"{inside}.{field.in_definition}" for field in FIELDS if field.in_definition is not None}
    ranges = "HyperParameterTuningJobConfig.ParameterRanges.IntegerParameterRanges[0]"
    given |= {f"{ranges} (n){rest}" for rest in ("", ".MinValue", ".MaxValue", ".ScalingType", ".Name")}
    given |= {f"{inside}{rest}" for rest in (".DefinitionName", ".DefinitionNames", ".HyperParameterRanges.CategoricalParameterRanges[0] (c)", ".StoppingCondition.MaxRuntimeInSeconds", ".Elsewhere")}  # fmt: skip
    given |= {"TrainingJobDefinition.StaticHyperParameters.a.b", "TrainingJobDefinition.StaticHyperParameters.alfine_function", "TrainingJobDefinition.StaticHyperParametersX", "Tags.other"}  # fmt: skip
    columns = [*(face.name for face in Face), "JOB_FILE, named definitions"]
    rows = {
        path: [
            *(spelled(Fault(path, "."), face).path for face in Face),
            spelled(Fault(path, "."), Face.JOB_FILE, ("p", "q")).path,
        ]
        for path in sorted(given)
    }
    return {"columns": columns, **rows}


def messages():
    other = naming("or {max_parallel}", instead={Face.PYTHON: naming("never {min}")})
    templates = [
        naming("{min} {} {!r} {:.2f} {!r:>5}.", "x", "y", 1.239, "z"),
        naming("{static}: {}, {!s}.", other, other),
        naming("{max}", instead={Face.AWS: "AWS's", Face.CONSOLE: naming("{max_training_jobs}")}),
        naming("no terms {{braces}}"),
        naming(""),
        from_aws(
            "MinValue and MaxValue: MinValues, MaxNumberOfJobs 3, MaxNumberOfTrainingJobs 4, xMinValue, StaticHyperParameters."
        ),
        from_aws("nothing"),
        from_aws("ScalingType"),
    ]
    error = spelled_error(InvalidSpec([Fault("Tags.alfine:forbid", templates[0]), Fault("", "plain")]), Face.JOB_FILE)
    said = [[str(message), *(message.spelled(face) for face in Face)] for message in templates]
    again = [[pickle.loads(pickle.dumps(message)).spelled(face) for face in Face] for message in templates]
    columns = ["as text", *(face.name for face in Face)]
    alike = again == [each[1:] for each in said]
    return {"columns": columns, "said": said, "pickled": alike, "error": [str(fault) for fault in error.faults]}


# -- verdicts ----------------------------------------------------------------------------------------------------------


def verdict(outlook="CONTINUE", criterion="A", **words):
    return Verdict(outlook=Outlook(outlook), criterion=criterion, sentence=f"{criterion} says.", **words)


def verdicts():
    given = [
        verdict(progress=0.2),
        verdict(criterion="B", progress=0.7),
        verdict(criterion="W", progress=0.9, watching=True),
        verdict("DRAIN", "C", progress=0.1),
        verdict("DRAIN", "D", progress=0.9, status="Failed"),
        verdict("STOP", "E", is_limit=True),
        verdict("STOP", "F", status="Stopped", watching=True),
        verdict(
            "STOP",
            "G",
            parts=(verdict(progress=0.5), verdict("DRAIN", "B")),
            needed=2,
            evidence={"needed": 2, "n": 1},
            would_change="Wait.",
        ),
    ]
    pairs = {one.criterion: [strongest([one, other]).criterion for other in given] for one in given}
    written = [each.as_dict() for each in given]
    read_again = [Verdict.from_dict(each) for each in written]
    old = [
        Verdict.from_dict({**written[0], "evidence": {"criteria": criteria, "needed": 1}})
        for criteria in ([], [1], ["x"], [{"a": 1}], [written[1], {}], [written[1], written[3]], "text")
    ]
    return {
        "the stronger of two": {"columns": [each.criterion for each in given], **pairs},
        "undecided": strongest([]) is UNDECIDED,
        "met": {each.criterion: {"met": each.met, "strength": each.strength, "rank": each.outlook.rank} for each in given},
        "written": written,
        "read": [one == other for one, other in zip(given, read_again, strict=True)],
        "old": [{"evidence": each.evidence, "parts": [part.criterion for part in each.parts], "needed": each.needed} for each in old],
    }  # fmt: skip


def told(each):
    return f"{each.outlook} {each.criterion} {each.progress}"


def ends():
    a, b, c = verdict("DRAIN", "A"), verdict(criterion="A"), verdict("STOP", "B")
    at_end = verdict("STOP", "A")
    given = [
        (None, [a, c]),
        (b, [a]),
        (a, [b, c]),
        (a, [b, b]),
        (a, [at_end]),
        (a, [a]),
        (a, [verdict("DRAIN", "A", progress=0.5)]),
        (at_end, [a, c]),
        (a, [c]),
        (a, []),
    ]
    kept = [
        {
            "ended by": one and f"{one.outlook} {one.criterion}",
            "last": list(map(told, last)),
            "shown": list(map(told, as_it_ended(one, last))),
        }
        for one, last in given
    ]
    spans = [1e-9, 1e-6, 1.5e-6, 1.0, 1e9, 1e300, -1.0]
    microseconds = {repr(span): (in_seconds(EPOCH, span) - EPOCH) / timedelta(microseconds=1) for span in spans}
    return {"as it ended": kept, "microseconds": microseconds}


CASES = {
    case.__name__: case
    for case in (
        written,
        written_of_two,
        names,
        read_texts,
        given_conditions,
        clauses,
        constants,
        tokens,
        paths,
        messages,
        verdicts,
        ends,
    )
}


@pytest.mark.parametrize("name", CASES)
def test_words_are_the_recorded_ones(name):
    check(FILE, name, CASES[name])


if __name__ == "__main__":
    recorded.write(FILE, CASES)
