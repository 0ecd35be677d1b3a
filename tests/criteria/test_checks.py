"""What a criterion's author gets for settings: checks that say what is wanted, and faults that name the tag."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from alfine.core.errors import InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.criteria import criteria_for, criterion_from_text, labels, table, tags
from alfine.criteria.checks import number, true_or_false, whole_number
from tests.building import request


@dataclass(frozen=True, slots=True)
class Checked:
    labels: ClassVar[dict[str, str]] = {"missing": "to be checked", "rounds": "rounds so far"}

    count: int
    share: float = 0.5
    strict: bool = False
    rounds: int = 0

    def __post_init__(self):
        whole_number(self, "count", least=1)
        whole_number(self, "rounds")
        number(self, "share", above=0, below=1)
        true_or_false(self, "strict")

    @classmethod
    def from_spec(cls, spec):
        return tags.read_tag(cls, spec)

    def to_request(self, request: dict[str, Any]):
        tags.write_tag(request, self)


@dataclass(frozen=True, slots=True)
class Careless:
    count: int

    @classmethod
    def from_spec(cls, spec):
        text = spec.settings.get("Careless")
        return None if text is None else cls(int(text))


@dataclass(frozen=True, slots=True)
class Grumpy:
    words: str

    def __post_init__(self):
        raise ValueError(self.words)

    @classmethod
    def from_spec(cls, spec):
        return tags.read_tag(cls, spec)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    kinds = {**table(), "Checked": Checked, "Careless": Careless, "Grumpy": Grumpy}
    monkeypatch.setattr("alfine.criteria.table", lambda: kinds)


def asked(**settings):
    written = [{"Key": f"alfine:{key}", "Value": value} for key, value in settings.items()]
    return read_spec({**request(), "Tags": written})


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("abc", "count 'abc' must be a whole number from 1 on."),
        ("0", "count 0 must be a whole number from 1 on."),
        ("-3", "count -3 must be a whole number from 1 on."),
        ("2.5", "count 2.5 must be a whole number from 1 on."),
        ("true", "count True must be a whole number from 1 on."),
        ("3 share=1", "share 1 must be a number above 0 and below 1."),
        ("3 share=nan", "share nan must be a number above 0 and below 1."),
        ("3 strict=yes", "strict 'yes' must be true or false."),
        ("3 rounds=-1", "rounds -1 must be a whole number from 0 on."),
        ("3 4 true 5 6", "'6' is one setting too many."),
        ("share=0.1", "needs count."),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_fault_of_its_tag_and_of_its_text(settings, why):
    with pytest.raises(InvalidSpec) as tag:
        criteria_for(asked(Checked=settings))
    assert [fault.path for fault in tag.value.faults] == ["Tags.alfine:Checked"]
    assert tag.value.faults[0].message.startswith(why)
    with pytest.raises(InvalidSpec) as text:
        criterion_from_text(f"Checked {settings}")
    assert text.value.faults[0].message.startswith(why)


@pytest.mark.parametrize("criterion", [Checked(3), Checked(1, 0.25, strict=True), Checked(7, strict=True)], ids=str)
def test_what_a_tag_is_written_with_is_read_again(criterion):
    asked = dict(request())
    criterion.to_request(asked)
    assert Checked.from_spec(read_spec(asked)) == criterion


@pytest.mark.parametrize("words", ["'not today'", "'not today.'"])
def test_what_a_plug_in_raises_on_a_setting_in_a_text_is_a_sentence(words):
    with pytest.raises(InvalidSpec) as error:
        criterion_from_text(f"Grumpy {words}")
    assert str(error.value) == "criterion Grumpy: not today. Its settings: words."


def test_a_number_that_several_criteria_have_is_called_as_the_criterion_itself_calls_it():
    names = ("TargetObjectiveMetricValue", "Checked", "AllOf")
    assert [labels(name)["missing"] for name in names] == ["still missing", "to be checked", "still missing"]
    assert {labels(name)["rounds"] for name in (*names, "Unheard")} == {"rounds so far"}


def test_what_a_plug_in_raises_on_a_bad_setting_is_a_fault_that_names_the_tag():
    assert Careless(3) in criteria_for(asked(Careless="3"))
    with pytest.raises(InvalidSpec) as error:
        criteria_for(asked(Careless="abc"))
    assert str(error.value) == (
        "Tags.alfine:Careless: 'abc' can't be read as the settings of Careless: "
        "ValueError: invalid literal for int() with base 10: 'abc'."
    )
