"""Extensions of stations that tests make up: a package of SQL for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest

from retrovue_uow import Extension

MakeExtension = Callable[..., Extension]
AIRING = """
CREATE TABLE playlog_airing (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id    TEXT    NOT NULL REFERENCES asset (id),
    aired_at    TEXT    NOT NULL,
    duration_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX playlog_airing_asset ON playlog_airing (asset_id);
"""
SLOT = """
CREATE TABLE playlog_slot (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id  TEXT    NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER NOT NULL,
    airing_id INTEGER REFERENCES playlog_airing (id) ON DELETE SET NULL
) STRICT;
"""
OVERLAP = """
-- Two slots never share a moment.
SELECT 'playlog_slot_overlap' AS rule,
       'playlog_slot' AS subject,
       slot.id AS id,
       'slot ' || slot.id || ' begins within another' AS detail
  FROM playlog_slot AS slot
 WHERE EXISTS (SELECT 1
                 FROM playlog_slot AS other
                WHERE other.id <> slot.id
                  AND slot.start_ms BETWEEN other.start_ms AND other.end_ms - 1);
"""
LENGTH = """
SELECT 'playlog_airing_length' AS rule,
       'playlog_airing' AS subject,
       id,
       'airing ' || id || ' has no length' AS detail
  FROM playlog_airing
 WHERE duration_ms <= 0
"""
UNAIRABLE = """
SELECT playlog_slot.id AS id
  FROM playlog_slot
  JOIN asset ON asset.id = playlog_slot.asset_id
 WHERE asset.approved = 0
"""
_numbers = count()


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeExtension]:
    """`extension(name, migrations, rules, views)`: one whose SQL is that; each call makes another package."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(
        name: str = "playlog",
        migrations: Sequence[str] | Mapping[str, str] = (AIRING, SLOT),
        rules: Mapping[str, str] = {"playlog_slot_overlap": OVERLAP, "playlog_airing_length": LENGTH},
        views: Mapping[str, str] = {"playlog_unairable": UNAIRABLE},
    ) -> Extension:
        package = f"sql_of_{next(_numbers)}"
        numbered = {f"{number:04}_step": text for number, text in enumerate(migrations, 1)}
        folders = {"migrations": migrations if isinstance(migrations, Mapping) else numbered, "rules": rules, "views": views}
        for folder, texts in folders.items():
            (tmp_path / package / folder).mkdir(parents=True)
            for stem, text in texts.items():
                (tmp_path / package / folder / f"{stem}.sql").write_text(text, encoding="utf-8")
        return Extension(name, package)

    yield make
    for module in [module for module in sys.modules if module.startswith("sql_of_")]:
        del sys.modules[module]
