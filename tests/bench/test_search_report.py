"""What the tables of bench/search may claim of contestants that were searched with different numbers of seeds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "bench" / "search" / "report.py"
spec = importlib.util.spec_from_file_location("search_report", FILE)
report = importlib.util.module_from_spec(spec)
spec.loader.exec_module(report)


def test_two_contestants_are_compared_on_the_seeds_that_both_have():
    ours = {"a": {"0": [0.1, 0.1], "1": [9.0, 9.0]}, "b": {"0": [0.3], "1": [9.0]}}
    theirs = {"a": {"0": [0.2, 0.4]}, "b": {"0": [0.6, 0.6]}}
    at, low, high, pairs, tasks = report.ratio(ours, theirs, 0, ["a", "b"])
    assert (at, low, high, pairs, tasks) == (pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5), 2, 2)
    assert report.ratio(ours, theirs, 1, ["a", "b"])[0] == pytest.approx(0.25), "only «a» got to the second budget"


def test_tasks_weigh_the_same_however_many_seeds_they_have():
    ours = {"a": {str(s): [0.1] for s in range(10)}, "b": {"0": [0.5]}}
    theirs = {"a": {str(s): [0.2] for s in range(10)}, "b": {"0": [0.2]}}
    assert report.ratio(ours, theirs, 0, ["a", "b"])[0] == pytest.approx(0.6 / 0.4)


def test_the_interval_of_a_ratio_holds_what_the_tasks_say():
    ours = {t: {"0": [0.1]} for t in "abcdef"} | {"g": {"0": [0.9]}}
    theirs = {t: {"0": [0.2]} for t in "abcdef"} | {"g": {"0": [0.6]}}
    at, low, high, *_ = report.ratio(ours, theirs, 0, "abcdefg")
    assert low < at < high
    assert low >= 0.5
    assert high <= 1.5


def test_a_rank_is_that_of_one_search_among_one_of_each_other():
    results = {
        "always first": {"regret": {"a": {"0": [0.1], "1": [0.1]}}},
        "half the time last": {"regret": {"a": {"0": [0.2], "1": [0.4]}}},
        "the other": {"regret": {"a": {"0": [0.3]}}},
    }
    assert report.ranks(results, 0, ["a"]) == {"always first": 1.0, "half the time last": 2.5, "the other": 2.5}


def test_a_contestant_that_missed_a_task_has_no_mean_and_no_rank():
    results = {
        "whole": {"regret": {"a": {"0": [0.1]}, "b": {"0": [0.1]}}},
        "cut short": {"regret": {"a": {"0": [0.0]}}},
    }
    assert report.cell(results["cut short"]["regret"], 0, ["a", "b"]) == "–"
    assert report.ranks(results, 0, ["a", "b"]) == {"whole": 1.0}


def test_ours_with_hidden_names_and_four_at_a_time_take_no_place_among_the_ranks():
    row = {"a": {"0": [0.1, 0.1, 0.1, 0.1]}}
    names = [report.OURS, report.OURS + report.HIDDEN, report.OURS + report.FOUR, "a peer"]
    head, _, *rows = report.standing({name: {"regret": row, "ms": None} for name in names}, ["a"])
    assert "of 2/2/2/2" in head
    assert ["1.5 / 1.5 / 1.5 / 1.5" in line for line in rows] == [True, False, False, True]


def test_who_is_ahead_is_told_with_all_seeds_of_both():
    results = {
        report.OURS: {"regret": {"a": {"0": [0.1], "1": [0.5]}, "b": {"0": [0.1]}}},
        "a peer": {"regret": {"a": {"0": [0.2]}, "b": {"0": [0.095]}}},
    }
    *_, row = report.ahead(results, ["a", "b"])
    assert row == "| a | a peer 0.200 (1) to 0.300 | – | – | – |", "on «b» it's ahead by less than counts"


def test_a_lucky_seed_of_ours_is_not_all_that_a_peer_with_one_seed_is_compared_with():
    ours = {t: {"0": [0.1], "1": [0.5]} for t in "ab"}
    theirs = {t: {"0": [0.3]} for t in "ab"}
    assert report.ratio(ours, theirs, 0, "ab")[0] == pytest.approx(1 / 3)
    at, low, high = report.ratio_of_all(ours, theirs, 0, "ab")
    assert at == pytest.approx(1.0)
    assert low < 0.9
    assert high > 1.1
