"""A catalogue that the code of 0.1.0 made, with data and decisions in it, opens, and goes on with all that it knows."""

from __future__ import annotations

import gzip
from pathlib import Path

import apsw
import pytest

from retrovue_uow import AssetSelector, Catalog
from retrovue_uow.testing import drafts, fake_enricher, fake_importer, snapshot

MADE = Path(__file__).parent.parent / "data" / "catalogue_of_0_1_0.db.gz"
"""Twelve `drafts`: episodes approved, the commercial retired, the filler made a bumper, a title renamed, one missing."""
MOUNTED = "/tmp/station/media"
STATES = """
SELECT asset.id, asset.kind, asset.state, asset.approved, asset.missing_since IS NULL, title.name, title.year
  FROM asset
  LEFT JOIN episode_asset ON episode_asset.asset_id = asset.id
  LEFT JOIN episode ON episode.id = episode_asset.episode_id
  LEFT JOIN season ON season.id = episode.season_id
  LEFT JOIN title ON title.id = season.title_id
 ORDER BY asset.id
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.db"
    path.write_bytes(gzip.decompress(MADE.read_bytes()))
    return path


def states(path: Path) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(STATES))
    finally:
        connection.close()


def test_it_opens_with_every_asset_and_decision_and_a_copy_of_before_lies_beside_it(old: Path) -> None:
    known = states(old)

    with Catalog(old) as catalog:
        assert catalog.check().is_sound
        assert {asset.kind for asset in catalog.select(AssetSelector(approved=True))} == {"episode"}
        assert [unit.library_version for unit in catalog.history()] == ["0.1.0"] * 9

    assert states(old) == known
    assert [states(copy) for copy in old.parent.glob("catalog.db.*") if copy.is_file()] == [known]


def test_what_was_decided_holds_in_the_next_ingest(old: Path, media: Path) -> None:
    types = {"importers": {"fake": fake_importer(drafts(12))}, "enrichers": {"fake": fake_enricher()}}
    known = states(old)

    with Catalog(old, **types) as catalog:  # type: ignore[arg-type]  # each has its own key
        with catalog.session() as db:  # its disk is mounted elsewhere by now
            db.execute("UPDATE path_mapping SET local_path = ?", (str(media),))
            db.execute("UPDATE asset SET file_path = replace(file_path, ?, ?)", (MOUNTED, str(media)))
        result = catalog.ingest_collection("Shows")

    assert (result.unchanged, result.created, result.returned) == (12, 0, 1)
    assert states(old) == [(*each[:4], 1, *each[5:]) for each in known]


def test_it_is_worked_with_and_undone(old: Path) -> None:
    with Catalog(old) as catalog:
        before = snapshot(catalog, journal=False)
        catalog.wipe_collection("Shows")
        assert catalog.assets() == []

        catalog.undo(catalog.history()[0].id)

        assert snapshot(catalog, journal=False) == before
        assert catalog.check().is_sound
