"""Access keys: files of an SQLite home, rows of a PostgreSQL database that several servers share."""

import json
from contextlib import closing

import pytest

from alfine.core.errors import InvalidSpec, NotFound
from alfine.jobs.home import Home
from alfine.store.access_keys import AccessKey, KeyFiles
from alfine.store.store import Store
from alfine.store.stored_keys import StoredKeys, keys_of
from tests.building import at
from tests.cli.conftest import alfine_cli


@pytest.fixture
def store(database_url):
    with closing(Store(database_url)) as store:
        yield store


def test_keys_are_made_found_and_deleted(store, tmp_path):
    keys = keys_of(store, tmp_path)
    assert isinstance(keys, StoredKeys if store.database.is_postgres else KeyFiles)
    assert not keys
    first, second = keys.create(at(0)), keys.create(at(1))
    assert keys
    assert keys.all() == [first, second]
    assert [(len(key.id), len(key.secret)) for key in (first, second)] == [(20, 40)] * 2, "as AWS has them"
    assert keys.secret(first.id) == first.secret
    for unknown in ("AKIAQQQQQQQQQQQQQQQQ", "../alfine.db", "", "a\0b"):
        assert keys.secret(unknown) is None
        with pytest.raises(NotFound):
            keys.delete(unknown)
    keys.delete(first.id)
    assert keys_of(store, tmp_path).all() == [second]
    keys.add(AccessKey(second.id, "another", at(2)))
    assert keys.secret(second.id) == "another"
    with pytest.raises(InvalidSpec, match="must be 3 to 128 letters and digits"):
        keys.add(AccessKey("a/b", "secret", at(3)))


def test_files_of_keys_are_their_owners_alone(tmp_path):
    (tmp_path / "home" / "keys").mkdir(parents=True, mode=0o755)
    keys = [KeyFiles(tmp_path / name).create(at(0)) for name in ("home", "new/home")]
    modes = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.name != "new"}
    assert {path.name: mode for path, mode in modes.items() if path.parent.name == "keys"} == {
        key.id: 0o600 for key in keys
    }
    assert {modes[tmp_path / folder] for folder in ("home/keys", "new/home/keys", "new/home")} == {0o700}
    (tmp_path / "home" / "keys" / ".new-draft").write_text("{")
    assert KeyFiles(tmp_path / "home").all() == keys[:1]


def test_a_database_takes_over_the_keys_of_a_home_once(tmp_path, postgres_url):
    files = KeyFiles(tmp_path)
    first, second = files.create(at(0)), files.create(at(1))
    with Home(tmp_path, store=postgres_url) as home:
        assert home.keys.all() == [first, second]
        home.keys.delete(first.id)
    with Home(tmp_path, store=postgres_url) as home:
        assert home.keys.all() == [second], "a deleted key doesn't come back"
    with Home(tmp_path) as home:
        assert home.keys.all() == [first, second], "without PostgreSQL the home has its keys as before"


def test_servers_on_one_database_have_the_same_keys(tmp_path, postgres_url):
    made = json.loads(alfine_cli(tmp_path / "a", "--store", postgres_url, "keys", "create", "--json").stdout)[
        "AccessKey"
    ]
    listed = json.loads(alfine_cli(tmp_path / "b", "keys", "list", "--json", "--store", postgres_url).stdout)
    assert [key["AccessKeyId"] for key in listed["AccessKeyMetadata"]] == [made["AccessKeyId"]]
    assert not (tmp_path / "b" / "keys").exists()
