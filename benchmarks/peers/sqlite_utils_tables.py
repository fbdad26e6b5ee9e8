"""The ingest in sqlite-utils."""

from __future__ import annotations

import sqlite_utils

from benchmarks.floor import Work
from benchmarks.measuring import Taken, now, since
from benchmarks.peers import PRAGMAS, asset_values, new_id, utc_now
from retrovue_uow import AssetDraft


def ingest(path: str, work: Work) -> Taken:
    """What the writing took."""
    database = sqlite_utils.Database(path)
    for pragma in PRAGMAS:
        database.execute(pragma)
    started = now()
    with database.atomic():
        for draft in work.drafts:
            with database.atomic():
                _write(database, work, draft)
    taken = since(started)
    database.close()
    return taken


def _write(database: sqlite_utils.Database, work: Work, draft: AssetDraft) -> None:
    now = utc_now()
    title_id = _get_or_create(
        database["title"],
        {"kind": "show", "name": draft.title, "year": draft.year},
        {"id": new_id(), "created_at": now},
    )
    season_id = _get_or_create(database["season"], {"title_id": title_id, "number": draft.season_number})
    asset_id = new_id()
    database["asset"].insert({"id": asset_id, **asset_values(work, draft), "created_at": now, "updated_at": now})
    for number in draft.episode_numbers:
        episode_id = _get_or_create(
            database["episode"], {"season_id": season_id, "number": number}, {"name": draft.episode_title}
        )
        database["episode_asset"].insert({"episode_id": episode_id, "asset_id": asset_id})
    for domain, document in draft.metadata.items():
        database["asset_metadata"].insert({"asset_id": asset_id, "domain": domain, "document": document})


def _get_or_create(
    table: sqlite_utils.db.Table, identity: dict[str, object], defaults: dict[str, object] | None = None
) -> object:
    condition = " AND ".join(f"{column} IS :{column}" for column in identity)
    for row in table.rows_where(condition, identity, select="id"):
        return row["id"]
    return table.insert(identity | (defaults or {}), pk="id").last_pk
