"""What requests are understood as, or which faults they have, is what requests.json says: whoever changes it, means to.

Each request has one thing of a good one changed (changed_requests.py). The file has what is wrong with it, in AWS's spelling and, where it's another one, in
that of a job file; of a request without faults it has what differs in the specification. `python -m tests.core.test_recorded_requests`
writes the file anew; git then shows what the change means for users.
"""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from alfine.core.errors import InvalidSpec
from alfine.core.field import Face
from alfine.core.messages import spelled
from alfine.core.read_spec import read_spec
from alfine.core.single_training_job import as_asked, tuning_job_of
from alfine.core.spec import describe_ranges
from tests.building import EPOCH
from tests.core.changed_requests import ABSENT, NAMED, SECTIONS, changed
from tests.recorded import lines

FILE = Path(__file__).with_name("requests.json")

# -- what becomes of them ------------------------------------------------------------------------------------------------


def understood(spec):
    """A specification as plain text, part by part."""
    plain = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec) if field.name != "request"}
    parts = plain.pop("parts")
    definition = plain.pop("definition")
    plain["names_in_order"] = spec.names_in_order if spec.names_in_order != spec.space.names else "as in the space"
    for name in ("ranked", "size", "distinct", "single_training_job", "sign", "search_limit"):
        plain[name] = getattr(spec, name)
    for name in ("most_training_jobs", "price_per_hour"):
        plain[name] = getattr(spec, name)
    plain["repeated"] = str(spec.repeats)
    plain["minimised"] = [spec.minimised(value) for value in (2.5, -1e301, 1e301)]
    plain["better"] = spec.or_better(0.25)
    if parts:
        plain["ranges"] = describe_ranges(spec, lambda range_: repr(range_) if range_.cells != 2 else None)
    plain |= {f"definition.{field.name}": getattr(definition, field.name) for field in dataclasses.fields(definition)}
    texts = {name: repr(value) for name, value in plain.items()}
    for name, part in parts.items():
        texts |= {f"{name}: {key}": text for key, text in understood(part).items() if text != texts[key]}
    return texts


def faults_of(faults):
    """Each fault as AWS's clients read it, and as whoever wrote a job file does."""
    lines = []
    for fault in faults:
        lines.append(str(fault))
        if (other := spelled(fault, Face.JOB_FILE)).message != spelled(fault, Face.AWS).message:
            lines.append(f"in a job file: {other.message}")
    return lines


def became(request):
    is_alone = "TrainingJobName" in request
    try:
        return understood(read_spec(tuning_job_of(request, EPOCH) if is_alone else request))
    except InvalidSpec as error:
        return faults_of(map(as_asked, error.faults) if is_alone else error.faults)


def short(text, most=200):
    return text if len(text) <= most else f"{text[:most]} and so on, {len(text)} characters"


LISTS = {json.dumps(lists): name for name, lists in NAMED.items()}
SHORTER = {
    **LISTS,
    f'"DataSource": {json.dumps({"S3DataSource": {"S3Uri": "s3://b/d"}})[:-2]}': "…",
    r'{"Key": "alfine:([\w-]+)", "Value": (".*?")}': r"\1 \2",
    r'"(\w+)": ': r"\1 ",
    r"(HyperParameterTuningJobConfig|TrainingJobDefinition|ResourceLimits|StrategyConfig)\.": "",
    '"': "'",
}
"""What stands in titles for parts of many requests, by regular expressions."""


def title(changes):
    """The changed members of a request, each with its value, shortened."""
    given = {".".join(path.split(".")[-2:]): value for path, value in changes.items()}
    text = "; ".join(
        f"{member} {'absent' if value is ABSENT else json.dumps(value)}" for member, value in given.items()
    )
    for words, instead in SHORTER.items():
        text = text.replace(words, instead) if words in LISTS else re.sub(words, instead, text)
    return short(text or "nothing", 140)


def of_section(section):
    """The faults of each changed request, or what it is understood as, as far as it differs from the unchanged one."""
    base, changes = SECTIONS[section]
    usual = {} if section.endswith(": nothing") else became(base)
    result = {}
    for change in changes:
        outcome = became(changed(base, change))
        if isinstance(outcome, dict):
            outcome = {key: short(text) for key, text in outcome.items() if text != usual.get(key)}
        assert result.setdefault(title(change), outcome) is outcome, f"{change} is there twice"
    return result


def outcomes():
    return {section: of_section(section) for section in SECTIONS}


@pytest.mark.parametrize("section", SECTIONS)
def test_requests_are_understood_or_refused_as_recorded(section):
    recorded, now = json.loads(FILE.read_text())[section], of_section(section)
    assert list(now) == list(recorded)
    for name, outcome in now.items():
        assert outcome == recorded[name], f"{name}: is the change meant? The module says how to record it."


if __name__ == "__main__":
    FILE.write_text(lines(outcomes()) + "\n")
