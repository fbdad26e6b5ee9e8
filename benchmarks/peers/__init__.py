"""What users would write instead: the same ingest by other libraries, a savepoint per asset, each in its own idiom.

Each module has `ingest(path, work)`: the seconds that the writing took. They run in processes of their own
(`python -m benchmarks.peers`): the copy of SQLite that most of them use must not meet APSW's on one file.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from benchmarks.floor import Work
from retrovue_uow import AssetDraft

PEERS = {
    "SQLAlchemy ORM, `begin_nested`": "sqlalchemy_orm",
    "Django ORM, nested `atomic`": "django_orm",
    "peewee, nested `atomic`": "peewee_models",
    "SQLAlchemy Core, `begin_nested`": "sqlalchemy_core",
    "sqlite-utils, nested `atomic`": "sqlite_utils_tables",
}
"""Module by what it uses."""
PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL")
"""The log is the file's own setting."""


def new_id() -> str:
    """An identifier as most would make it."""
    return str(uuid.uuid4())


def utc_now() -> str:
    """UTC text."""
    return datetime.now(UTC).isoformat()


def asset_values(work: Work, draft: AssetDraft) -> dict[str, object]:
    """The columns of an asset but for its identifier and times."""
    return {
        "collection_id": work.collection_id,
        "path_mapping_id": work.mapping_id,
        "canonical_key": draft.source_path,
        "file_path": draft.file_path,
        "kind": draft.kind,
        "state": "new" if draft.duration_ms is None else "ready",
        "approved": 0,
        "size": draft.size,
        "mtime_ns": draft.mtime_ns,
        "sidecars": "",
        "enrichers": work.enrichers,
        "duration_ms": draft.duration_ms,
        "container": draft.container,
        "video_codec": draft.video_codec,
        "audio_codec": draft.audio_codec,
        "width": draft.width,
        "height": draft.height,
    }
