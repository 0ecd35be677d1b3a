"""Metrics out of log lines."""

import pytest

from alfine.runners.log_metrics import MetricReader, check_regex, nearest_lines

XGBOOST = r".*\[[0-9]+\].*#011validation-rmse:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"


def test_the_first_group_is_the_value():
    assert MetricReader([("loss", r"loss=(\S+) (\d+)")]).read("epoch 3 loss=0.25 7") == [("loss", 0.25)]


def test_each_definition_reads_each_line():
    reader = MetricReader([("a", "a=([0-9]+)"), ("b", "b=([0-9]+)"), ("c", "c=([0-9]+)")])
    assert reader.read("b=2 a=1") == [("a", 1.0), ("b", 2.0)]


def test_a_tab_is_also_read_as_amazon_writes_it():
    reader = MetricReader([("rmse", XGBOOST), ("tab", "\tx=([0-9]+)")])
    assert reader.read("[3]\ttrain-rmse:0.5\tvalidation-rmse:0.25") == [("rmse", 0.25)]
    assert reader.read("[3]#011validation-rmse:1e-3") == [("rmse", 0.001)]
    assert reader.read("a\tx=3") == [("tab", 3.0)]


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "much"])
def test_what_is_no_finite_number_is_counted(text):
    reader = MetricReader([("loss", r"loss=(.*)")])
    assert [reader.read(f"loss={text}") for _ in range(3)] == [[], [], []]
    assert reader.remarks("loss") == [f"printed {text} 3 times"]


def test_a_group_that_took_no_part_is_no_value():
    assert MetricReader([("loss", r"loss(?:=(\d))?")]).read("loss") == []


def test_a_catastrophic_regex_is_switched_off_and_reported():
    reader = MetricReader([("bad", r"^(a|aa)+$"), ("good", r"b(\d)")])
    line = "a" * 60 + "b3"
    assert reader.read(line) == [("good", 3.0)]
    assert reader.read(line) == [("good", 3.0)]
    assert "switched off" in reader.remarks("bad")[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [("loss=([0-9.]+)", None), ("loss=(", "doesn't compile"), ("loss=[0-9]+", "captures nothing")],
)
def test_a_regex_is_checked_with_what_to_do(text, words):
    answer = check_regex(text)
    assert answer is None if words is None else words in answer


def test_nearest_lines_share_words_and_hold_a_number():
    log = ["epoch 1 loss 0.3", "val_rmse: 0.5", "val_rmse: 0.4", "validation starts", "step 5"]
    assert nearest_lines(("validation:rmse", r"validation-rmse=([0-9.]+)"), log, k=1) == ["val_rmse: 0.4"]


def test_nearest_lines_of_a_log_without_numbers_are_none():
    assert nearest_lines(("loss", r"loss=(\d)"), ["hello", ""]) == []


def test_long_lines_are_shown_short():
    assert len(nearest_lines(("loss", r"loss=(\d)"), ["loss 1" + "x" * 1000])[0]) == 200
