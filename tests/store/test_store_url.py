"""Which database a home uses, and the errors of one that can't be used."""

import pytest
import sqlalchemy as sa

from alfine.core.errors import InvalidSpec, MissingExtra, StoreBusy, StoreUnusable
from alfine.jobs.home import Home
from alfine.store import store_url
from alfine.store.store import Store
from alfine.store.store_url import checked_url, chosen_store

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"mysql://me:{PASSWORD}@db/alfine", "'mysql' isn't a database that alfine knows"),
        (f"postgresql://me:{PASSWORD}@db", "names no database"),
        (f"postgresql//me:{PASSWORD}@db/alfine", "isn't the URL of a database"),
        (f"postgresql://me:{PASSWORD}@db:port/alfine", "isn't the URL of a database"),
        ("sqlite:////tmp/alfine.db", "SQLite is the default and needs no URL"),
    ],
)
def test_a_url_that_names_no_postgresql_database_is_refused_without_its_password(url, message):
    with pytest.raises(InvalidSpec, match=message) as refused:
        checked_url(url, "ALFINE_STORE")
    assert str(refused.value).startswith("ALFINE_STORE: ")
    assert PASSWORD not in str(refused.value)


def test_the_argument_counts_before_the_environment_and_that_before_the_settings(monkeypatch):
    first, second, third = (f"postgresql://db/{name}" for name in "abc")
    monkeypatch.setenv("ALFINE_STORE", second)
    assert sa.make_url(chosen_store(first, third)).database == "a"
    assert sa.make_url(chosen_store(None, third)).database == "b"
    monkeypatch.delenv("ALFINE_STORE")
    assert sa.make_url(chosen_store(None, third)).database == "c"
    assert chosen_store(None, "") is None


def test_without_the_driver_the_error_says_how_to_have_it(monkeypatch):
    monkeypatch.setattr(store_url, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'alfine\[postgres\]'"):
        checked_url("postgresql://db/alfine", "ALFINE_STORE")


def test_a_home_keeps_its_records_in_the_database_that_its_settings_name(tmp_path, postgres_url):
    (tmp_path / "alfine.toml").write_text(f'[store]\nurl = "{postgres_url}"\n')
    with Home(tmp_path) as home:
        assert home.store.database.is_postgres
    assert not (tmp_path / "alfine.db").exists()
    with Home(tmp_path / "other", store=postgres_url) as home:
        assert home.store.database.is_postgres


def test_a_database_that_cannot_be_opened_is_one_clear_error_without_the_password(databases, postgres_url, tmp_path):
    url = sa.make_url(postgres_url)
    cases = [
        (url.set(database="nowhere"), StoreUnusable, 'database "nowhere" does not exist. Create it first'),
        (url.set(username="nobody-here"), StoreUnusable, 'role "nobody-here" does not exist'),
        (sa.make_url(f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:1/alfine"), StoreBusy, "can't be reached"),
    ]
    if databases.server:  # one with users of our own
        stranger = url.set(username=databases.server.stranger, password=PASSWORD)
        cases.append((stranger, StoreUnusable, "refuses this user's password"))
        cases.append((stranger._replace(password=None), StoreUnusable, "asks for a password"))
    for case, kind, message in cases:
        with pytest.raises(kind) as refused:
            Store(case.render_as_string(hide_password=False))
        assert message in str(refused.value)
        assert str(refused.value).startswith("postgresql://")
        assert PASSWORD not in str(refused.value)


def test_a_url_keeps_the_password_for_whoever_connects():
    url = checked_url(f"postgresql://me:{PASSWORD}@db/alfine", "ALFINE_STORE")
    assert sa.make_url(url).password == PASSWORD
