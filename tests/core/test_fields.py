"""The table of a job's fields: every path is one of AWS's model, every word has one meaning."""

from inspect import signature
from pathlib import Path
from typing import get_args

import botocore.session
import pytest

import alfine
from alfine.core.field import Field, Kind
from alfine.core.fields import (
    ALIASES,
    CHANGEABLE,
    FIELDS,
    OF_DEFINITION,
    OF_PROGRAM,
    RANGE_WORDS,
    WORDS,
    fields_among,
    unknown,
)
from alfine.core.settings import NAMES

SHAPE = (
    botocore.session.get_session()
    .get_service_model("sagemaker")
    .operation_model("CreateHyperParameterTuningJob")
    .input_shape
)
IN_STATIC = "TrainingJobDefinition.StaticHyperParameters."


def shape_at(path):
    """The shape of AWS's model at a path of the request."""
    shape = SHAPE
    for name in path.split("."):
        shape = shape.member if shape.type_name == "list" else shape
        shape = shape.members[name]
    return shape


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.word)
def test_a_field_has_one_place_in_a_request_and_aws_knows_it(field: Field):
    assert not (field.path and field.tag)
    for path in field.paths:
        if path.startswith("Tags.alfine:"):
            assert path.removeprefix("Tags.alfine:") in NAMES
        else:
            assert shape_at(path.removesuffix(path[len(IN_STATIC) - 1 :]) if path.startswith(IN_STATIC) else path)
    if field.in_definition:
        assert shape_at(f"TrainingJobDefinitions.{field.in_definition}")


def test_every_field_is_explained_in_sentences():
    assert [
        field.word for field in FIELDS if not (field.help[:1].strip("`").istitle() or field.help.startswith("`"))
    ] == []
    assert [field.word for field in FIELDS if not field.help.endswith(".")] == []


def test_words_are_unique_and_aliases_lead_to_one_of_them():
    assert len(WORDS) == len(FIELDS)
    listed = [alias for field in FIELDS for alias in field.aliases]
    assert len(listed) == len(set(listed))
    assert not {*listed} & {*WORDS}
    assert {*ALIASES.values()} <= {*WORDS, *RANGE_WORDS}


def test_what_can_be_changed_is_what_change_takes():
    assert {*CHANGEABLE} == {*signature(alfine.change).parameters} - {"name", "home"}


def test_what_can_be_changed_has_a_label_for_the_console():
    assert all(WORDS[word].label for word in CHANGEABLE)


def test_every_kind_is_one_of_a_field():
    assert {field.kind for field in FIELDS} == {*get_args(Kind)}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("MaxParallelTrainingJobs", "isn't known. Did you mean max_parallel?"),
        ("n-trials", "isn't known. Did you mean max_training_jobs?"),
        ("max_job", "isn't known. Did you mean max_training_jobs?"),
        ("qqqq", "isn't known. Known: name, script"),
    ],
)
def test_a_word_that_does_not_exist_is_answered_with_the_one_that_was_meant(word, message):
    assert unknown(word, WORDS).startswith(message)


def test_an_alias_is_meant_only_where_its_word_exists():
    assert unknown("condition", RANGE_WORDS) == "isn't known. Did you mean requires?"
    assert "requires" not in unknown("condition", WORDS)


def test_the_arguments_that_are_fields_are_taken_by_their_words():
    assert fields_among({"self": 1, "seed": 2, "home": Path(), "goal": "Minimize"}) == {"seed": 2, "goal": "Minimize"}


def test_each_of_several_definitions_may_have_these_fields_for_itself():
    assert " ".join(OF_DEFINITION) == (
        "script command source_dir python image space static metric goal regex metrics max_training_job_seconds channels environment "
        "output_path checkpoints retries instance_type instances aws"
    )
    assert OF_PROGRAM == ("script", "command", "source_dir", "python"), (
        "one with a program takes none of these from the job"
    )


def test_a_function_is_no_program_so_these_fields_mean_nothing_to_it():
    assert " ".join(field.word for field in FIELDS if not field.for_functions) == (
        "script command source_dir python image regex metrics channels environment output_path checkpoints retries instance_type aws "
        "grace_seconds threads gpus warm"
    )


def test_fields_have_these_values_where_nobody_gives_them():
    assert {field.word: field.default for field in FIELDS if field.default is not None} == {
        "metric": "objective",
        "goal": "Minimize",
        "strategy": "Bayesian",
        "warm_start_type": "IdenticalDataAndAlgorithm",
        "max_parallel": 1,
        "early_stopping": "Off",
        "instances": 1,
        "warm": True,
    }
