"""The station's tables and rules are sound."""

from foreign_station.playlog import PLAYLOG

from retrovue_uow.testing import assert_extension

AIRED = "INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) SELECT id, '2026-12-24T20:00:00.000Z', {} FROM asset;"
PLANNED = """
INSERT INTO playlog_slot (asset_id, starts_at, ends_at)
SELECT min(id), '2026-12-24T20:00:00.000Z', '2026-12-24T20:01:00.000Z' FROM asset;
"""


def test_the_tables_and_rules_are_sound() -> None:
    assert_extension(
        PLAYLOG,
        breaks={"playlog_slot_overlap": PLANNED + PLANNED, "playlog_airing_length": AIRED.format(0)},
        data={1: AIRED.format(60_000), 2: AIRED.format(60_000) + PLANNED},
    )
