"""The station's own operations, proven with the kit. `retrovue_extended_catalog` comes with the plugin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from foreign_station import PLAYLOG, PlaylogError, air, plan

from retrovue_uow import Catalog, WipeError
from retrovue_uow.testing import assert_atomic, assert_unchanged, snapshot

EVENING = datetime(2026, 12, 24, 20, tzinfo=UTC)


@pytest.fixture
def station(retrovue_extended_catalog: Callable[..., Catalog]) -> Catalog:
    return retrovue_extended_catalog(PLAYLOG)


def test_what_is_planned_airs(station: Catalog) -> None:
    asset = station.assets()[0]

    slot = plan(station, asset.id, EVENING)
    air(station, slot)

    assert snapshot(station)["playlog_slot"] == []
    assert snapshot(station)["playlog_airing"] == [(1, asset.id, "2026-12-24T20:00:00.000Z", asset.duration_ms)]


def test_a_slot_begins_when_the_one_before_is_over(station: Catalog) -> None:
    first, second = station.assets()[:2]
    plan(station, first.id, EVENING)

    with assert_unchanged(station), pytest.raises(PlaylogError, match=r"slot 2 begins .* when slot 1 is not over"):
        plan(station, second.id, EVENING + timedelta(seconds=30))

    plan(station, second.id, EVENING + timedelta(seconds=60))


def test_only_what_may_go_on_the_air_is_planned(station: Catalog) -> None:
    asset = station.assets()[0]
    station.withdraw_approval(asset)

    with assert_unchanged(station), pytest.raises(PlaylogError, match="it is not approved: approve it"):
        plan(station, asset.id, EVENING)


def test_a_plan_that_can_no_longer_air_is_listed_and_stops_nothing(station: Catalog) -> None:
    asset = station.assets()[0]
    plan(station, asset.id, EVENING)

    station.retire(asset)

    listed = station.database.execute("SELECT id, file_path, reason FROM playlog_unairable")
    assert listed == [(1, asset.file_path, "it is retired")]


def test_what_has_aired_is_not_wiped_and_what_is_planned_comes_back(station: Catalog) -> None:
    aired, planned = station.assets()[:2]
    air(station, plan(station, aired.id, EVENING))
    plan(station, planned.id, EVENING)
    with pytest.raises(WipeError, match="1 asset cannot be deleted because of 1 row of table 'playlog_airing'"):
        station.wipe_collection("Shows")
    with station.session() as db:
        db.execute("DELETE FROM playlog_airing")
    before = snapshot(station, journal=False)

    wiped = station.wipe_collection("Shows")

    assert wiped.changes is not None
    assert wiped.changes.counts["playlog_slot"] == {"delete": 1}
    station.undo(str(wiped.unit_id))
    assert snapshot(station, journal=False) == before


def test_planning_and_airing_are_atomic(station: Catalog) -> None:
    asset = station.assets()[0]

    assert_atomic(station, lambda catalog: plan(catalog, asset.id, EVENING), sample=5)
    slot = plan(station, asset.id, EVENING)
    assert_atomic(station, lambda catalog: air(catalog, slot), sample=5)
