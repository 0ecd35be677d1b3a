"""Engines that are silent, as if they had been frozen or cut off, without anybody's waiting for it."""

from datetime import timedelta

import sqlalchemy as sa

from alfine.store.database_time import before_now
from alfine.store.schema import servers


def fall_silent(store, engine=None, span=None):
    """Let the last heartbeat of an engine, or of all, lie back by a time span: so far that what it owns may be taken over."""
    with store.database.writing() as connection:
        frozen = sa.update(servers).values(seen_at=before_now((span or store.silence) + timedelta(seconds=1)))
        connection.execute(frozen if engine is None else frozen.where(servers.c.id == engine))
