"""A CSV file of training jobs as a parent: `warm_start: runs.csv`."""

import csv

import pytest

import alfine
from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.history import History
from alfine.jobs.analysis.export_table import export_table
from alfine.jobs.analysis.results_table import read_results
from alfine.jobs.home import Home
from alfine.surrogate.parent_evidence import prior
from tests.building import SPACE, history, request, spec

NETWORK = {
    "optimizer": Categorical(["adam", "sgd"]),
    "momentum": Continuous(0, 0.99, requires={"optimizer": "sgd"}),
    "bias": Categorical([True, False]),
    "width": Integer(8, 64),
}
TABLE = """\
run,width,optimizer,momentum,bias,loss,note
1,16,adam,,True,0.5,good
2,32.0,sgd,0.9,False,0.25,better
3,64,sgd,0.5,true,,broken
4,512,adam,,TRUE,0.1,wider than the job's range
"""


@pytest.fixture
def table(tmp_path):
    def write(text=TABLE):
        path = tmp_path / "runs.csv"
        path.write_text(text)
        return path

    return write


def child(**words):
    return spec(**{"space": NETWORK, "metric": "loss", "warm_start": "runs.csv", **words})


def test_rows_are_training_jobs_in_amts_spelling(table):
    found = read_results(table(), child(), "runs.csv")
    assert [each.objective for each in found] == [0.5, 0.25, 0.1]
    assert [each.hyperparameters for each in found] == [
        {"optimizer": "adam", "bias": "true", "width": "16"},
        {"optimizer": "sgd", "momentum": "0.9", "bias": "false", "width": "32"},
        {"optimizer": "adam", "bias": "true", "width": "512"},
    ]


def test_what_lies_in_the_jobs_space_counts_for_it(table):
    of_child = child()
    past = History(of_child, history().created_at, tuple(read_results(table(), of_child, "runs.csv")))
    points, values = prior(past)
    assert list(values) == [0.5, 0.25], "512 is outside of the range"
    assert of_child.space.from_unit(points[1]) == {"optimizer": "sgd", "momentum": 0.9, "bias": "false", "width": 32}


def test_an_empty_cell_is_none_where_none_is_a_value(table):
    space = {"weight": Categorical([None, "balanced"]), "x": Continuous(0, 1)}
    found = read_results(table("weight,x,loss\n,0.5,1\nbalanced,0.5,2\n"), child(space=space), "runs.csv")
    assert [each.hyperparameters["weight"] for each in found] == ["null", "balanced"]


def test_what_export_writes_can_be_begun_with(tmp_path):
    past = history([0.5, None, 0.75])
    (tmp_path / "runs.csv").write_bytes(export_table(past, "csv"))
    found = read_results(tmp_path / "runs.csv", spec(), "runs.csv")
    ended = [job for job in past.finished if job.objective is not None]
    assert [each.objective for each in found] == [0.5, 0.75]
    assert [each.hyperparameters for each in found] == [past.spec.space.to_text(job.hyperparameters) for job in ended]
    assert [(each.name, each.ended_at) for each in found] == [(job.name, job.ended_at) for job in ended]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width,optimizer,momentum,loss\n", "has no column 'bias'. It has: 'width', 'optimizer', 'momentum', 'loss'"),
        ("width,optimizer,momentum,bias,score\n", "has no column 'loss'"),
        (
            "width;optimizer;loss\n9;adam;1\n",
            "has a single column, 'width;optimizer;loss'. Its cells must be parted by",
        ),
        ("", "has no column 'optimizer'. It has: none"),
        ("width,optimizer,momentum,bias,loss\n", "no row has a value of loss"),
        ("width,optimizer,momentum,bias,loss\n9,adam,,true,\n", "no row has a value of loss"),
        ("width,optimizer,momentum,bias,loss\nbig,adam,,true,1\n", "runs.csv:2 width: 'big' must be a number"),
        ("width,optimizer,momentum,bias,loss\n,adam,,true,1\n", "runs.csv:2 width: is empty"),
        ("width,optimizer,momentum,bias,loss\n9,adam,,true,1\n9,sgd,0.5,true,low\n", "runs.csv:3 loss: 'low' must be"),
        ("width,optimizer,momentum,bias,loss,loss\n", "has two columns 'loss'"),
        ("width,optimizer,momentum,bias,loss\n9,adam,,true,1,7\n", "runs.csv:2: has more cells than the 5 columns"),
        ("width,optimizer,momentum,bias,loss\n" + "x,adam,,true,1\n" * 9, "… and 6 more"),
    ],
)
def test_a_table_that_isnt_one_is_told_by_line_and_column(table, text, words):
    with pytest.raises(InvalidSpec) as error:
        read_results(table(text), child(), "runs.csv")
    assert words in str(error.value)


def test_a_file_that_isnt_there_is_a_fault_of_the_job(tmp_path):
    with pytest.raises(InvalidSpec, match=r"gone\.csv: can't be read: No such file"):
        alfine.tune(bowl, SPACE, warm_start=tmp_path / "gone.csv", home=tmp_path / "home", max_training_jobs=3)


def bowl(hyperparameters):
    return (hyperparameters["depth"] - 7) ** 2 + abs(hyperparameters["eta"] - 0.1)


@pytest.mark.parametrize("kind", ["IdenticalDataAndAlgorithm", "TransferLearning"])
def test_a_job_begins_where_the_table_was_good(tmp_path, kind):
    rows = [
        {"eta": eta, "depth": depth, "booster": "dart", "objective": bowl({"eta": eta, "depth": depth})}
        for depth in range(1, 11)
        for eta in (0.02, 0.1, 0.5)
    ]
    with (tmp_path / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    words = {"warm_start": str(tmp_path / "runs.csv"), "warm_start_type": kind, "max_training_jobs": 3, "seed": 1}
    job = alfine.tune(bowl, SPACE, home=tmp_path / "home", progress=False, **words)
    assert job.best.objective < 0.5
    with Home(tmp_path / "home") as home:
        assert home.service.describe(job.name)["WarmStartConfig"]["WarmStartType"] == kind
        assert len(home.service.history(job.name).inherited) == 30


def test_an_ended_job_needs_the_table_no_more(tmp_path, table):
    path = table("eta,depth,booster,objective\n0.1,3,dart,1\n")
    words = {"warm_start": path, "max_training_jobs": 2, "home": tmp_path / "home", "name": "job", "progress": False}
    alfine.tune(bowl, SPACE, **words)
    path.unlink()
    with Home(tmp_path / "home") as home:
        assert list(prior(home.service.history("job"))[1]) == [1.0]


def test_over_the_network_a_table_is_no_parent():
    from alfine.aws.json_protocol import api

    asked = request(warm_start="file:///etc/runs.csv")
    faults = api("sagemaker").operation("CreateHyperParameterTuningJob").faults(asked)
    assert any("etc/runs.csv" in each and "satisfy regular expression pattern" in each for each in faults), faults
