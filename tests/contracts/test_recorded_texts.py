"""How every criterion is written, read, refused and kept in a request is what texts.json says: whoever changes it, means to.

`python -m tests.contracts.test_recorded_texts` writes the file anew; git then shows what the change means for users.
"""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import alfine.criteria as room
from alfine import (
    AllOf,
    AnyOf,
    AtLeast,
    BestObjectiveNotImproving,
    ConvergenceDetected,
    Deadline,
    MaxCost,
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    NotBefore,
    Shadow,
    Steady,
)
from alfine.core.errors import InvalidSpec
from alfine.core.protocols import name_of
from alfine.core.read_spec import read_spec
from alfine.criteria import ALWAYS, always_present, criteria_for, criteria_of, criterion_from_text, labels, tags
from alfine.criteria.text_format import say
from tests.building import request, spec

FILE = Path(__file__).with_name("texts.json")

PLATEAU = "BestObjectiveNotImproving"
NUMBERS = ("0", "-1", "1e-9", "1", "2", "2.5", "3.0", "2147483647", "2147483648", "9" * 400)
NUMBERS += ("1e21", "1e400", "nan", "true", "'3'", "abc")
FIRST = (*room.CRITERIA, f"Steady({PLATEAU} 3)", f"NotBefore({PLATEAU} 3)")
"""Criteria whose first setting takes each of NUMBERS; of a criterion around another the setting has a name."""

TEXTS = (
    *(f"{PLATEAU} 3 strict={value}" for value in ("true", "False", "1", "yes", "'true'")),
    f"{PLATEAU} 3 true",
    f"{PLATEAU}:3",
    f"{PLATEAU}:strict=true 4",
    f"Unheard:{PLATEAU}",
    "BestObjectiveNotImprovin 3",
    "bestObjectiveNotImproving 3",
    "",
    *(
        f"ConvergenceDetected {name}={value}"
        for name in ("epsilon", "delta", "cap")
        for value in ("0", "0.5", "1", "2")
    ),
    "ConvergenceDetected 0.02, 0.1, cap=0.3",
    "ConvergenceDetected 0.01 0.05",
    "ConvergenceDetected delta=0.1 delta=0.2",
    "ConvergenceDetected delta=",
    "ConvergenceDetected delta=,",
    "ConvergenceDetected delta = 0.1",
    "ConvergenceDetected detla=0.1",
    "ConvergenceDetected 1 0.5 2 3",
    "ConvergenceDetected(delta=0.1)",
    "ConvergenceDetected ()",
    "ConvergenceDetected )",
    "ConvergenceDetected:end",
    f"ConvergenceDetected {PLATEAU} 3",
    f"ConvergenceDetected({PLATEAU} 3)",
    "Deadline 2026-12-01T18:00+01:00",
    "Deadline '2026-12-01 18:00Z'",
    "Deadline 2026-12-01T18:00",
    "Deadline 0001-01-01T00:00+05:00",
    "Deadline 12 true",
    "Deadline 12 active=1",
    "Deadline 2026-12-01T18:00Z active=true",
    f"AllOf({PLATEAU} 3)",
    f"AllOf({PLATEAU} 3,)",
    f"AllOf({PLATEAU} 3 {PLATEAU} 4)",
    f"AllOf({PLATEAU} 3, {PLATEAU} 4",
    f"AllOf({PLATEAU} 3, {PLATEAU} 4))",
    f"AllOf({PLATEAU} 3, 2)",
    f"AllOf of {PLATEAU} 3 / ConvergenceDetected delta=0.1 end",
    f"AllOf of {PLATEAU} 3 / AnyOf of MaxCost 1.5 / MaxCost 3.0 end end",
    "AllOf()",
    f"AtLeast(1, {PLATEAU} 3)",
    f"AtLeast({PLATEAU} 3, ConvergenceDetected, count=2)",
    f"AtLeast(3, {PLATEAU} 3)",
    f"AtLeast({PLATEAU} 3)",
    f"NotBefore({PLATEAU} 3, 10)",
    f"NotBefore({PLATEAU} 3, 10, 20.5)",
    f"NotBefore({PLATEAU} 3, 10, 20, 30)",
    f"NotBefore({PLATEAU} 3, seconds=-1)",
    f"NotBefore({PLATEAU} 3, {PLATEAU} 4)",
    "NotBefore(10)",
    "Shadow(Shadow(Deadline 3.5))",
    "Steady(TargetObjectiveMetricValue 1)",
    "NotBefore(MaxCost 2)",
    "Shadow(Steady(NotBefore(MaxCost 2, 3), times=2))",
    "Shadow(criterion=ConvergenceDetected)",
    "StopRequested",
)

ALIKE = (BestObjectiveNotImproving(3), BestObjectiveNotImproving(4, strict=True), MaxNumberOfTrainingJobs(7))
LONG = AllOf(*(NotBefore(BestObjectiveNotImproving(n), n, n + 0.5) for n in range(3, 9)))
BERLIN = datetime(2026, 12, 1, 18, tzinfo=timezone(timedelta(hours=1)))


class Own:
    """A criterion that only this module knows."""

    def __repr__(self):
        return "Own()"

    def check(self, history):
        raise NotImplementedError


PYTHON = {
    "AllOf()": AllOf,
    "AllOf([…])": lambda: AllOf([ConvergenceDetected()]),
    "AllOf(criteria=[…])": lambda: AllOf(ALIKE[0], criteria=[*ALIKE[1:]]),
    "AnyOf(a class)": lambda: AnyOf(ConvergenceDetected),
    "AnyOf(a text)": lambda: AnyOf(ALIKE[0], "ConvergenceDetected"),
    "AtLeast(0, …)": lambda: AtLeast(0, *ALIKE),
    "AtLeast(1, …)": lambda: AtLeast(1, *ALIKE),
    "AtLeast(3, …)": lambda: AtLeast(3, *ALIKE),
    "AtLeast(4, …)": lambda: AtLeast(4, *ALIKE),
    "AtLeast(True, …)": lambda: AtLeast(True, *ALIKE),
    "Steady(a class)": lambda: Steady(MaxCost),
    "NotBefore(3)": lambda: NotBefore(3),
    "Shadow(None)": lambda: Shadow(None),
    "Deadline(aware)": lambda: Deadline(BERLIN),
    "Deadline(naive)": lambda: Deadline(datetime(2026, 12, 1)),  # noqa: DTZ001 - it's refused
    "Deadline(True)": lambda: Deadline(True),
    "Deadline(with spaces)": lambda: Deadline(" 2026-12-01  18:00+01:00 "),
    "MaxRuntimeInSeconds(2.0)": lambda: MaxRuntimeInSeconds(2.0),
    "MaxRuntimeInSeconds(2.5)": lambda: MaxRuntimeInSeconds(2.5),
    "MaxCost(12)": lambda: MaxCost(12),
    "ConvergenceDetected(cap=None)": lambda: ConvergenceDetected(0.5, cap=None),
    "three of which two are of a kind": lambda: [*ALIKE],
    "three of a kind": lambda: [BestObjectiveNotImproving(n) for n in (5, 4, 3)],
    "longer than a tag": lambda: [LONG, Steady(LONG)],
    "a text and an object": lambda: ["ConvergenceDetected delta=0.1", ALIKE[0]],
    "one text": lambda: "MaxCost 3",
    "a mapping": lambda: {"MaxCost": 3},
    "a number": lambda: 3,
    "a class": lambda: ConvergenceDetected,
    "Own": Own,
    "Shadow(Own)": lambda: Shadow(Own()),
}
"""What is given as a job's criteria in Python."""

TAGS = (
    ["Steady of ConvergenceDetected end", f"{PLATEAU} 3"],
    ["Steady of ConvergenceDetected end /", f"{PLATEAU} 3"],
    ["Steady of ConvergenceDetected end", f"/ {PLATEAU} 3", "4"],
    ["Steady of", "ConvergenceDetected", "delta=0.1 end"],
    [f"AllOf of {PLATEAU} 3 /", "Steady of ConvergenceDetected end", "end"],
    ["Steady(ConvergenceDetected),", f"{PLATEAU} 3, MaxCost 3"],
    ["AllOf ( ConvergenceDetected", ",", f"{PLATEAU} 3 )", "MaxCost 3"],
    ["ConvergenceDetected", "delta=0.1"],
    ["", f"{PLATEAU} 3"],
    [f"{PLATEAU} 3 )"],
    [f"{PLATEAU} 3 end"],
    [f"{PLATEAU} 3", "Unheard"],
)
"""Criteria in the tags of a request as people write them."""

LIMITS = ((None, 7), (5, None), (5, 7), (7, 5), (5, 5), (5.5, 5), (5, 5.5), (7, "5"))
"""Limits that a criterion and the job's own setting give."""


def faults_or(call):
    """What is wrong with something that is given; else the result."""
    try:
        return call()
    except InvalidSpec as error:
        return [f"{fault.path}: {fault.message}" for fault in error.faults]


def kept(given):
    """How criteria stand in a request, and what a job has of those that aren't the same when they are read again."""
    criteria = criteria_of(given)
    asked, without = request(criteria=criteria, price_per_hour=2.0), request(price_per_hour=2.0)
    config, other = (each["HyperParameterTuningJobConfig"] for each in (asked, without))
    texts = {tag["Key"]: tag["Value"] for tag in asked["Tags"] if tag not in without["Tags"]}
    again = criteria_for(read_spec(asked))
    of_amt = {key: value for key, value in config.items() if value != other.get(key)}
    found = [say(criterion) for criterion in criteria]
    changed = {"becomes": [say(each) for each in again[:-1]]} if any(each not in again for each in criteria) else {}
    return {"says": found[0] if len(found) == 1 else found, **of_amt, **texts, **changed}


def read(text):
    criterion = criterion_from_text(text)
    return {**kept(criterion), "name": name_of(criterion), "flags": flags(criterion)}


def flags(criterion):
    names = ("is_limit", "ends_a_standstill", "more_in_tag", "always_present")
    raised = [name for name in names if getattr(criterion, name, False) is True]
    return " ".join([*raised, *(f"not {name}" for name in names if getattr(criterion, name, None) is False)])


def from_tags(texts):
    """The criteria in some tags; and the tags once there is another criterion, and once all are taken away."""
    keys = [tags.SETTING, *(f"{tags.SETTING}-{number}" for number in range(2, len(texts) + 1))]
    found = [repr(each) for each in tags.from_settings(dict(zip(keys, texts, strict=True)), room.table())]
    own = [{"Key": "team", "Value": "criteria"}, {"Key": "alfine:price-per-hour", "Value": "2"}]
    asked = {"Tags": [*own, *({"Key": f"alfine:{key}", "Value": text} for key, text in zip(keys, texts, strict=True))]}
    tags.append_to(asked, ALIKE[0])
    more = [f"{tag['Key']}={tag['Value']}" for tag in asked["Tags"]]
    tags.remove_from(asked)
    return {"criteria": found, "with one more": more[2:], "without": [tag["Key"] for tag in asked["Tags"]]}


def limited(of_criterion, of_job):
    asked = {} if of_criterion is None else {"HyperParameterTuningJobConfig": {"ResourceLimits": {"N": of_criterion}}}
    room.amt_fields.put_limits(asked, N=of_job)
    return asked["HyperParameterTuningJobConfig"]["ResourceLimits"]


def texts():
    numbers = [f"{name} {value}" for name in FIRST[:8] for value in NUMBERS]
    named = {"Steady": "times", "NotBefore": "training_jobs"}
    around = [f"{n}({PLATEAU} 3, {key}={value})" for n, key in named.items() for value in NUMBERS]
    return [*FIRST, *numbers, *around, *(f"AtLeast({value}, {PLATEAU} 3)" for value in NUMBERS), *TEXTS]


def table():
    kinds = [*ALWAYS, *room.CRITERIA.values()]
    facts = {
        kind.__name__: [
            always_present(kind.__name__),
            flags(kind),
            {key: labels(kind.__name__)[key] for key in getattr(kind, "labels", {})},
        ]
        for kind in kinds
    }
    return {
        "texts": {
            text if len(text) < 200 else f"{text[:40]}…": faults_or(lambda text=text: read(text)) for text in texts()
        },
        "python": {name: faults_or(lambda given=given: kept(given())) for name, given in PYTHON.items()},
        "tags": {" | ".join(each): faults_or(lambda each=each: from_tags(each)) for each in TAGS},
        "limits": {f"{a} {b}": limited(a, b) for a, b in LIMITS},
        "kinds": facts,
        "without a price": {
            text: faults_or(lambda text=text: len(criteria_for(spec(criteria=[text]))))
            for text in ("MaxCost 3", "Shadow(MarginalValue 2)", f"{PLATEAU} 3")
        },
    }


def written(part, rows):
    """One line a row, so that a diff shows whole rows."""
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in rows.items())
    return f" {json.dumps(part)}: {{\n{lines}\n }}"


def test_texts_and_requests_are_the_recorded_ones():
    recorded = json.loads(FILE.read_text())
    for part, rows in json.loads(json.dumps(table())).items():
        for key, row in rows.items():
            assert row == recorded[part][key], f"{key}: is the change meant? The module says how to record it."
        assert rows.keys() == recorded[part].keys()


if __name__ == "__main__":
    parts = ",\n".join(written(part, rows) for part, rows in table().items())
    FILE.write_text(f"{{\n{parts}\n}}\n")
