"""The ingest in SQLAlchemy Core."""

from __future__ import annotations

import json
import warnings
from typing import Any

import sqlalchemy as sa

from benchmarks.floor import Work
from benchmarks.measuring import Taken, now, since
from benchmarks.peers import PRAGMAS, asset_values, new_id, utc_now
from retrovue_uow import AssetDraft


def engine_on(path: str) -> sa.Engine:
    """An engine that leaves BEGIN to SQLAlchemy, as its page on SQLite's SAVEPOINT has it."""
    engine = sa.create_engine(f"sqlite:///{path}")
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _on_begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def ingest(path: str, work: Work) -> Taken:
    """What the writing took."""
    engine = engine_on(path)
    metadata = sa.MetaData()
    with warnings.catch_warnings(action="ignore", category=sa.exc.SAWarning):  # of an index over an expression
        metadata.reflect(engine, only=["title", "season", "episode", "asset", "episode_asset", "asset_metadata"])
    with engine.connect() as connection:
        started = now()
        with connection.begin():
            for draft in work.drafts:
                with connection.begin_nested():
                    _write(connection, metadata.tables, work, draft)
        taken = since(started)
    engine.dispose()
    return taken


def _write(connection: sa.Connection, tables: Any, work: Work, draft: AssetDraft) -> None:
    now = utc_now()
    title_id = _get_or_create(
        connection,
        tables["title"],
        {"kind": "show", "name": draft.title, "year": draft.year},
        {"id": new_id(), "created_at": now},
    )
    season_id = _get_or_create(connection, tables["season"], {"title_id": title_id, "number": draft.season_number})
    asset_id = new_id()
    connection.execute(
        sa.insert(tables["asset"]), {"id": asset_id, **asset_values(work, draft), "created_at": now, "updated_at": now}
    )
    for number in draft.episode_numbers:
        episode_id = _get_or_create(
            connection, tables["episode"], {"season_id": season_id, "number": number}, {"name": draft.episode_title}
        )
        connection.execute(sa.insert(tables["episode_asset"]), {"episode_id": episode_id, "asset_id": asset_id})
    for domain, document in draft.metadata.items():
        connection.execute(
            sa.insert(tables["asset_metadata"]), {"asset_id": asset_id, "domain": domain, "document": json.dumps(document)}
        )


def _get_or_create(connection: sa.Connection, table: Any, identity: dict[str, object], defaults: Any = None) -> Any:
    found = connection.execute(
        sa.select(table.c.id).where(*(table.c[column] == value for column, value in identity.items()))
    ).scalar_one_or_none()
    if found is not None:
        return found
    return connection.execute(sa.insert(table), identity | (defaults or {})).inserted_primary_key[0]
