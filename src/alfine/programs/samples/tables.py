"""Tables: made-up rows with the columns of public data sets, and labels that depend on them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ROWS = 1000
"""Rows of a table: small enough to make at once, and to train on in a second."""

PARTS = {"train": slice(0, 700), "validation": slice(700, 850), "test": slice(850, ROWS), "all": slice(0, ROWS)}
"""The rows of each part."""


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _csv(rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> bytes:
    lines = [",".join(map(str, row)) for row in ([header] if header else [])]
    lines += [",".join(map(str, row)) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _yes(chance: Array, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return whether each event happens. chance: log-odds."""
    happens: npt.NDArray[np.bool_] = random.random(len(chance)) < 1 / (1 + np.exp(-chance))
    return happens


# ---- abalone: the number of rings by sex and seven measures ------------------------------------------------------------


def _abalone() -> Array:
    """(ROWS, 9): rings, sex (1 to 3), length, diameter, height, whole, shucked, viscera and shell weight."""
    random = _random("abalone")
    rings = np.clip(np.round(random.gamma(9, 1.1, ROWS)), 1, 29)
    length = np.clip(0.8 * (1 - np.exp(-0.17 * rings)) + random.normal(0, 0.05, ROWS), 0.08, 0.81)
    whole = np.clip(4.2 * length**3 * random.lognormal(0, 0.12, ROWS), 0.003, None)
    shares = np.array([0.43, 0.22, 0.28]) * random.lognormal(0, 0.08, (ROWS, 3))
    sex = np.where(rings < 7, 2, random.integers(0, 2, ROWS) * 2 + 1)
    measures = [length, 0.8 * length, 0.27 * length * random.lognormal(0, 0.1, ROWS), whole]
    return np.column_stack([rings, sex, *measures, whole[:, None] * shares])


def abalone_libsvm(part: str) -> bytes:
    """Return abalones in libsvm format.

    Args:
        part: `train`, `validation`, `test` or `all`.
    """
    lines = [
        " ".join([f"{row[0]:.0f}", *(f"{index}:{value:.4g}" for index, value in enumerate(row[1:], 1))])
        for row in _abalone()[PARTS[part]]
    ]
    return ("\n".join(lines) + "\n").encode()


def abalone_csv(part: str) -> bytes:
    """Return abalones as CSV without a header, the rings first."""
    return _csv([f"{value:.4g}" for value in row] for row in _abalone()[PARTS[part]])


# ---- bank marketing: whether a customer subscribes ---------------------------------------------------------------------

BANK = (
    *("age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week"),
    *("duration", "campaign", "pdays", "previous", "poutcome", "emp.var.rate", "cons.price.idx", "cons.conf.idx"),
    *("euribor3m", "nr.employed", "y"),
)
"""The columns."""

WORDS: Mapping[str, Sequence[str]] = {
    "job": ("admin.", "blue-collar", "technician", "services", "management", "retired", "student", "unknown"),
    "marital": ("married", "single", "divorced", "unknown"),
    "education": ("basic.9y", "high.school", "professional.course", "university.degree", "unknown"),
    "default": ("no", "unknown"),
    "housing": ("no", "yes", "unknown"),
    "loan": ("no", "yes", "unknown"),
    "contact": ("cellular", "telephone"),
    "month": ("may", "jun", "jul", "aug", "oct", "nov", "mar", "apr"),
    "day_of_week": ("mon", "tue", "wed", "thu", "fri"),
    "poutcome": ("nonexistent", "failure", "success"),
}
"""The values of the columns with words."""


def bank_csv() -> bytes:
    """Return customers of a bank as CSV with a header."""
    random = _random("bank")
    words = {name: random.integers(0, len(values), ROWS) for name, values in WORDS.items()}
    words["poutcome"] = random.choice(3, ROWS, p=[0.85, 0.1, 0.05])
    age, duration = random.integers(18, 90, ROWS), np.round(random.gamma(1.5, 170, ROWS))
    rate = random.choice([-3.4, -1.8, -0.1, 1.1, 1.4], ROWS)
    euribor = np.round(np.clip(3 + 1.1 * rate + random.normal(0, 0.3, ROWS), 0.6, 5.1), 3)
    contacted = words["poutcome"] > 0
    numbers = {
        "age": age,
        "duration": duration.astype(int),
        "campaign": random.geometric(0.4, ROWS),
        "pdays": np.where(words["poutcome"] == 2, random.integers(1, 20, ROWS), 999),
        "previous": np.where(contacted, random.integers(1, 4, ROWS), 0),
        "emp.var.rate": rate,
        "cons.price.idx": np.round(93.5 + 0.3 * rate + random.normal(0, 0.2, ROWS), 3),
        "cons.conf.idx": np.round(random.uniform(-51, -27, ROWS), 1),
        "euribor3m": euribor,
        "nr.employed": np.round(5167 + 40 * rate, 1),
    }
    chance = -3.2 + duration / 260 - 0.7 * rate + 1.6 * (words["poutcome"] == 2) + 0.6 * (words["contact"] == 0)
    columns = {name: [values[index] for index in words[name]] for name, values in WORDS.items()}
    y = np.where(_yes(chance + 0.6 * np.isin(words["job"], [5, 6]), random), "yes", "no")
    return _csv(zip(*({**columns, **numbers, "y": y}[name] for name in BANK), strict=True), BANK)


def bank_zip() -> bytes:
    """Return the customers as the archive that notebooks unpack."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("bank-additional-full.csv", "bank-additional.csv"):
            member = zipfile.ZipInfo(f"bank-additional/{name}", (2014, 3, 26, 0, 0, 0))
            archive.writestr(member, bank_csv(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


# ---- churn, census, iris, and tables of no subject ---------------------------------------------------------------------

CHURN = (
    *("State", "Account Length", "Area Code", "Phone", "Int'l Plan", "VMail Plan", "VMail Message", "Day Mins"),
    *("Day Calls", "Day Charge", "Eve Mins", "Eve Calls", "Eve Charge", "Night Mins", "Night Calls"),
    *("Night Charge", "Intl Mins", "Intl Calls", "Intl Charge", "CustServ Calls", "Churn?"),
)
"""The columns."""


def churn_csv() -> bytes:
    """Return customers of a telephone company as CSV with a header."""
    random = _random("churn")
    abroad, mail = random.random(ROWS) < 0.3, random.random(ROWS) < 0.4
    minutes = {
        name: np.round(random.gamma(8, scale, ROWS), 2) for name, scale in (("Day", 22), ("Eve", 24), ("Night", 25))
    }
    calls, service = random.poisson(100, (ROWS, 3)), random.poisson(1.6, ROWS)
    intl = np.round(random.gamma(6, 1.7, ROWS), 2)
    churn = _yes(-4 + 1.8 * abroad + 0.012 * (minutes["Day"] - 150) + 0.9 * service - 0.8 * mail, random)
    rates = {"Day": 0.17, "Eve": 0.085, "Night": 0.045}
    columns: dict[str, Iterable[object]] = {
        "State": random.choice(["CA", "NY", "OH", "TX", "VA", "WA"], ROWS),
        "Account Length": random.integers(1, 240, ROWS),
        "Area Code": random.choice([408, 415, 510], ROWS),
        "Phone": [f"{one}-{other}" for one, other in random.integers(1000, 9999, (ROWS, 2))],
        "Int'l Plan": np.where(abroad, "yes", "no"),
        "VMail Plan": np.where(mail, "yes", "no"),
        "VMail Message": np.where(mail, random.integers(5, 50, ROWS), 0),
        "Intl Mins": intl,
        "Intl Calls": random.poisson(4.5, ROWS),
        "Intl Charge": np.round(0.27 * intl, 2),
        "CustServ Calls": service,
        "Churn?": np.where(churn, "True.", "False."),
    }
    for place, (name, rate) in enumerate(rates.items()):
        columns |= {f"{name} Mins": minutes[name], f"{name} Calls": calls[:, place]}
        columns[f"{name} Charge"] = np.round(rate * minutes[name], 2)
    return _csv(zip(*(columns[name] for name in CHURN), strict=True), CHURN)


CENSUS = (
    *("age", "education", "major industry code", "class of worker", "num persons worked for employer"),
    *("capital gains", "capital losses", "dividends from stocks", "income"),
)
"""The columns that notebooks use."""


def census_csv() -> bytes:
    """Return people of a census as CSV with a header."""
    random = _random("census")
    schools = ("Children", "High school graduate", "Some college but no degree", "Bachelors degree(BA AB BS)")
    school, age = random.integers(0, len(schools), ROWS), random.integers(16, 90, ROWS)
    gains = np.where(random.random(ROWS) < 0.1, random.integers(100, 20_000, ROWS), 0)
    dividends = np.where(random.random(ROWS) < 0.15, random.integers(1, 9000, ROWS), 0)
    rich = _yes(-4.5 + 0.9 * school + 0.02 * (age - 40) + gains / 5000 + dividends / 4000, random)
    columns: list[Iterable[object]] = [
        age,
        [schools[index] for index in school],
        random.choice(["Construction", "Education", "Retail trade", "Not in universe or children"], ROWS),
        random.choice(["Private", "Self-employed-not incorporated", "Not in universe"], ROWS),
        random.integers(0, 7, ROWS),
        gains,
        np.where(random.random(ROWS) < 0.05, random.integers(100, 3000, ROWS), 0),
        dividends,
        np.where(rich, "50000+.", "- 50000."),
    ]
    return _csv(zip(*columns, strict=True), CENSUS)


IRISES: Mapping[str, Sequence[float]] = {
    "Iris-setosa": (5.0, 3.4, 1.5, 0.25),
    "Iris-versicolor": (5.9, 2.8, 4.3, 1.3),
    "Iris-virginica": (6.6, 3.0, 5.5, 2.0),
}
"""The mean of the four measures of each class: sepal and petal, length and width in cm, rounded."""


def iris_csv() -> bytes:
    """Return 150 irises as CSV without a header, the class last."""
    random = _random("iris")
    spread = np.array([0.4, 0.3, 0.35, 0.18])
    rows = [
        [*np.round(np.clip(random.normal(means, spread), 0.1, None), 1), name]
        for name, means in IRISES.items()
        for _ in range(50)
    ]
    return _csv(rows)


def tabular_csv(kind: str, part: str) -> bytes:
    """Return a table without a header, the label first.

    Args:
        kind: `binary`, `multiclass` or `regressonehot`.
        part: As for `abalone_libsvm`.
    """
    random = _random(kind)
    features = random.normal(size=(ROWS, 10))
    score = 2 * features[:, 0] - features[:, 1] ** 2 + features[:, 2] * features[:, 3] + random.normal(0, 0.5, ROWS)
    label = {
        "binary": (score > 0).astype(float),
        "multiclass": np.digitize(score, [-1.5, 0.5]).astype(float),
        "regressonehot": np.round(score, 4),
    }[kind]
    rows = zip(label[PARTS[part]], features[PARTS[part]], strict=True)
    return _csv([f"{target:g}", *(f"{value:.4f}" for value in row)] for target, row in rows)
