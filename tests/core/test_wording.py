"""Numbers, times, money, counts and corrections of names, as people read them."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from alfine.core.wording import (
    UNKNOWN,
    bytes_of,
    closest,
    configuration,
    count_of,
    did_you_mean,
    duration,
    estimate,
    gain,
    loss,
    money,
    number,
    percent,
    seconds_between,
    short,
    short_text,
)

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456789, "0.123457"),
        (3.0, "3"),
        (12_500, f"12{THIN}500"),
        (-0.5, "-0.5"),
        (1e15, "1e+15"),
        (None, UNKNOWN),
        (float("nan"), UNKNOWN),
        (float("inf"), UNKNOWN),
    ],
)
def test_a_number_has_six_digits_and_its_thousands_apart(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.08134567, "0.08135"), (123_456, "123456"), ("dart", "dart"), (True, "True")]
)
def test_a_value_of_a_hyperparameter_has_four_digits(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("given", "text"), [("0.08134567", "0.08135"), ("123456", "123456"), ("1e-05", "1e-05"), ("adam.v2", "adam.v2")]
)
def test_a_value_in_a_request_is_shortened_where_it_is_a_number(given, text):
    assert short_text(given) == text


def test_a_configuration_is_one_line():
    assert configuration({"eta": 0.08134567, "depth": 6, "booster": "dart"}) == "eta=0.08135 depth=6 booster=dart"
    assert configuration({"eta": "0.08134567", "depth": "6"}) == "eta=0.08135 depth=6"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.04217, "4.22 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (9e-35, "<0.01 %"),
        (0.99961, "99.96 %"),
        (0.999999, ">99.99 %"),
        (0.99999, ">99.99 %"),
        (1.003, "100 %"),
        (123.0, f"12{THIN}300 %"),
        (None, UNKNOWN),
    ],
)
def test_a_share_is_a_percentage(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "best", "text"),
    [(0.017, 1.0, "0.017 (1.7 %)"), (9.1e-35, 1.0, "0"), (1.07, 1.0, "1.07"), (0.5, 0.0, "0.5"), (0.5, None, "0.5")],
)
def test_a_gain_has_its_share_of_the_best_where_that_says_something(value, best, text):
    assert gain(value, best) == text


@pytest.mark.parametrize(
    ("value", "best", "text"),
    [
        (0.017, -1.0, "1.7 %"),
        (0.0, 1.0, "0 %"),
        (1.0, 1.0, "1"),
        (3, 1e-12, "3"),
        (0.5, 0.0, "0.5"),
        (0.5, None, "0.5"),
    ],
)
def test_a_loss_is_a_share_of_the_best_where_that_says_something(value, best, text):
    assert loss(value, best) == text
    assert loss(0.12345, 1.0, 2) == "12 %"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (12.345, "12.35 USD"),
        (0.0, "0.00 USD"),
        (0.1, "0.10 USD"),
        (0.0123, "0.012 USD"),
        (0.00002, "<0.0001 USD"),
        (None, UNKNOWN),
    ],
)
def test_money_has_a_currency_cents_and_small_amounts_two_digits(amount, text):
    assert money(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, UNKNOWN),
        (-1, "0.0 s"),
        (3.21, "3.2 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "1 min 40 s"),
        (3600, "1 h 00 min"),
        (11_220, "3 h 07 min"),
        (1e10, "317 years"),
        (1e308, "3.17e+300 years"),
        (math.inf, UNKNOWN),
    ],
)
def test_a_duration_has_the_unit_that_people_would_use(seconds, text):
    assert duration(seconds) == text


def test_the_time_between_two_instants():
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_between(begin, begin + timedelta(seconds=125)) == "2 min 05 s"
    assert seconds_between(begin, None) == UNKNOWN


def test_an_estimate_has_a_range_where_its_ends_differ():
    assert estimate(7, 12, 31) == "12 (7 to 31)"
    assert estimate(11.99, 12.0, 12.01, duration) == "12 s"


def test_a_file_has_bytes_and_from_1024_on_kibibytes():
    assert [bytes_of(count) for count in (1, 999, 1024, 4300)] == ["1 byte", "999 bytes", "1.0 KiB", "4.2 KiB"]


def test_one_is_singular():
    assert [count_of(count) for count in (0, 1, 2)] == ["0 training jobs", "1 training job", "2 training jobs"]
    assert count_of(1, "value") == "1 value"


@pytest.mark.parametrize(
    ("word", "near"),
    [("MaxJobs", "max_jobs"), ("max-jobs", "max_jobs"), ("max_job", "max_jobs"), ("ETA", "eta"), ("xyz", None)],
)
def test_a_misspelt_name_finds_the_one_that_was_meant(word, near):
    assert closest(word, ["max_jobs", "max_parallel", "eta"]) == near


def test_a_correction_is_a_sentence():
    assert did_you_mean("etta", ["eta", "depth"]) == "Did you mean eta?"
    assert did_you_mean("xyz", ["depth", "eta"]) == "Known: depth, eta."
    assert did_you_mean("xyz", []) == "There are none."
