"""The console's figures, configuration, downloads and comparison, for a browser without scripts."""

from __future__ import annotations

import csv
import io
import json

import pytest

from alfine import Continuous, Integer
from alfine.api.job_words import job_request
from alfine.server.console.figures import FIGURES
from tests.aws.conftest import until

JOB = "/console/tuning-jobs/figures"


@pytest.fixture(scope="module")
def drawn(served, sagemaker, script):
    """Two jobs that have ended."""
    space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
    for name in ("figures", "other"):
        request = job_request(
            name=name,
            space=space,
            script=script,
            metric="loss",
            strategy="Random",
            max_training_jobs=12,
            max_parallel=4,
        )
        sagemaker.create_hyper_parameter_tuning_job(**request)
    for name in ("figures", "other"):
        until(sagemaker, name)
    return JOB


def test_every_figure_of_a_job_is_there_as_a_document_and_as_a_picture(visitor, drawn):
    page = visitor.get(f"{drawn}/analysis").body
    for name in FIGURES:
        assert f"figures/{name}.svg" in page  # for a page without scripts
        found = visitor.get(f"{drawn}/figures/{name}.json")
        assert found.headers["Content-Type"].startswith("application/json")
        assert json.loads(found.body)["title"]["text"]
    for theme in ("light", "dark"):
        assert visitor.get(f"{drawn}/figures/importance.svg?theme={theme}").body.startswith("<svg")
    part = visitor.get(f"{drawn}/figures/best-so-far.svg?inside=1&width=359").body  # for a script without Vega
    assert part.startswith('<svg class="figure"')
    assert ' width="340"' in part
    assert "/console/training-jobs/figures-" in part
    assert visitor.get(f"{drawn}/figures/cost.svg?width=99999999999999").body.startswith("<svg")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/figures/importanc.svg", "Did you mean importance?"),
        ("/figures/importance.gif", "isn't a format"),
        ("/figures/contour.svg?x=y&y=x", "isn't a hyperparameter"),
        ("/table.xls", "isn't a format"),
    ],
)
def test_a_figure_or_file_that_isnt_there_is_told(visitor, drawn, path, said):
    found = visitor.get(drawn + path)
    assert found.status == 422
    assert said in found.text


def test_the_configuration_says_what_was_asked_and_code_that_asks_again(visitor, drawn, sagemaker):
    page = visitor.get(f"{drawn}/configuration")
    for words in ("minimize loss", "0.0 to 1.0", "the whole numbers 1 to 9", "Random", "12"):
        assert words in page.text
    (code,) = [text for text in page.text.split("boto3 ") if "sagemaker.create_hyper" in text][-1:]
    assert "HyperParameterTuningJobName='figures-again'" in code


def test_what_is_downloaded_is_the_whole_job(visitor, drawn):
    table = visitor.get(f"{drawn}/table.csv")
    assert len(list(csv.DictReader(io.StringIO(table.body)))) == 12
    assert "attachment" in table.headers["Content-Disposition"]
    report = visitor.get(f"{drawn}/report")
    assert report.body.count("<svg") >= 8
    assert "figures.html" in report.headers["Content-Disposition"]


def test_ticked_jobs_of_the_list_are_compared(visitor, drawn):
    listed = visitor.get("/console/").body
    assert 'name="name" value="figures"' in listed
    page = visitor.get("/console/compare?name=figures&name=other")
    assert "Comparison of 2 tuning jobs" in page.text
    for by in ("jobs", "seconds", "wall", "money", "distribution"):
        found = json.loads(visitor.get(f"/console/compare/figures/{by}.json?name=figures&name=other").body)
        assert found["title"]["text"]
    assert visitor.get("/console/compare").status == 422
    assert visitor.get("/console/compare?name=figures&name=nobody").status == 404
