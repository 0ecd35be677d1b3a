"""The tables of a new database are those that the migrations make."""

import pytest
import sqlalchemy as sa

from alfine.store.migrations import upgrade
from alfine.store.store import Store

LOOKS = {
    "postgresql": (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
        " FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
    ),
    "sqlite": (
        'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk'
        " FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
        'SELECT t.name, f."table", f."from", f."to" FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f',
        'SELECT t.name, l."unique", l.partial, i.seqno, i.name FROM sqlite_master t'
        " JOIN pragma_index_list(t.name) l JOIN pragma_index_info(l.name) i WHERE t.type = 'table'",
        "SELECT name, replace(sql, char(10), ' ') FROM sqlite_master WHERE type = 'index'",
    ),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request, tmp_path):
    """Two databases without tables."""
    if request.param == "sqlite":
        return [f"sqlite:///{tmp_path / name}" for name in ("new.db", "migrated.db")]
    databases = request.getfixturevalue("databases")
    return [databases.without_tables() for _ in range(2)]


def test_a_new_database_has_the_tables_that_the_migrations_make(urls):
    new, migrated = (sa.create_engine(url, poolclass=sa.NullPool) for url in urls)
    Store(urls[0]).close()
    with migrated.begin() as connection:
        upgrade(connection)
    for look in LOOKS[new.dialect.name]:
        assert rows(new, look) == rows(migrated, look) != set()


def rows(engine, look):
    with engine.connect() as connection:
        return set(map(tuple, connection.exec_driver_sql(look)))
