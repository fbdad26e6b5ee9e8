"""Several files that show the same: one of them airs, the one that the operator prefers, or else the best picture."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import Asset, AssetDraft, AssetSelector, Catalog, CheckReport, Collection, CurationError
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

BOTH = (1, 2)


def file(path: str, found: AssetDraft, **facts: Any) -> AssetDraft:
    """Another file that shows the same."""
    return attrs.evolve(draft(path), **attrs.asdict(found, filter=lambda field, _: field.name in SHOWN), **facts)


SHOWN = {"kind", "title", "year", "season_number", "episode_numbers"}
TRON = movie("Tron", 1982)
FILES = [
    file("low.mkv", TRON, height=480, size=9000),
    file("high.mkv", TRON, height=1080, size=100),
    file("larger.mkv", TRON, height=1080, size=200),
    file("unknown.mkv", TRON, size=5000),
]


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher) -> Catalog:
    """Four versions of a movie, approved."""
    return put_in(catalog, importer, *FILES)


def put_in(catalog: Catalog, importer: FakeImporter, *drafts: AssetDraft, collection: str = "Shows") -> Catalog:
    """The files are ingested and approved."""
    importer.drafts = list(drafts)
    catalog.ingest_collection(collection)
    catalog.approve(AssetSelector(state="ready"))
    return catalog


def named(path: str) -> AssetSelector:
    return AssetSelector(path=path)


def ranks(catalog: Catalog) -> dict[str, int]:
    """The rank of each file that may be scheduled, as the view has it, in order; `explain` must say the same."""
    rows = catalog.database.execute(
        "SELECT id, file_path, version_rank FROM schedulable_asset ORDER BY version_rank, file_path"
    )
    for id_, path, rank in rows:
        explained = catalog.explain(id_)
        assert explained.version_rank == rank
        assert explained.versions == () or f"{path!r} {'airs' if rank == 1 else 'does not air'}: " in "\n".join(
            explained.versions
        ).replace("'/media", f"'{path.rpartition('/')[0]}")
    return {path.rpartition("/")[2]: rank for _, path, rank in rows}


def on_air(catalog: Catalog) -> list[str]:
    """What airs, by name; the view and the command line's selector must say the same."""
    best = catalog.schedulable_assets()
    rows = catalog.database.execute("SELECT id FROM schedulable_asset WHERE version_rank = 1")
    assert {each.id for each in best} == {id_ for (id_,) in rows}
    return sorted(name(each) for each in best)


def name(asset: Asset) -> str:
    return asset.canonical_key.rpartition("/")[2]


def test_the_highest_picture_airs_then_the_largest_file(stocked: Catalog) -> None:
    assert ranks(stocked) == {"larger.mkv": 1, "high.mkv": 2, "low.mkv": 3, "unknown.mkv": 4}
    assert on_air(stocked) == ["larger.mkv"]
    assert len(stocked.schedulable_assets(versions="all")) == 4


def test_of_equals_the_older_asset_airs(catalog: Catalog, importer: FakeImporter, collection: Collection) -> None:
    put_in(catalog, importer, file("b.mkv", TRON))
    put_in(catalog, importer, file("a.mkv", TRON), file("b.mkv", TRON))

    assert ranks(catalog) == {"b.mkv": 1, "a.mkv": 2}
    (older,) = catalog.schedulable_assets()
    assert catalog.explain(older.id).versions == (
        "'/media/b.mkv' airs: it is older in the catalogue than '/media/a.mkv'",
        "'/media/a.mkv' does not air: it is newer in the catalogue than '/media/b.mkv'",
    )


def test_what_may_not_be_scheduled_takes_no_rank(stocked: Catalog, importer: FakeImporter) -> None:
    stocked.withdraw_approval(named("larger.mkv"))
    importer.drafts = [each for each in FILES if "high" not in each.file_path]
    stocked.ingest_collection("Shows")

    assert ranks(stocked) == {"low.mkv": 1, "unknown.mkv": 2}
    (withdrawn,) = stocked.select(named("larger.mkv"))
    explained = stocked.explain(withdrawn.id)
    assert (explained.version_rank, explained.versions) == (None, ())


@pytest.mark.parametrize(
    "other",
    [
        movie("Tron", 1983),
        movie("Tron"),
        attrs.evolve(TRON, part=2),
        episode("Tron", 1, 1),
        episode("Tron", 1, 2),
        episode("Tron", 2, 1),
        episode("Tron", 1, 1, episode_numbers=BOTH),
        episode("Tron", 1, 1, episode_numbers=BOTH, part=2),
        draft("other.mkv"),
        draft("bump.mkv", kind="bumper"),
    ],
)
def test_what_shows_something_else_is_no_version(
    catalog: Catalog, importer: FakeImporter, collection: Collection, other: AssetDraft
) -> None:
    files = [TRON, attrs.evolve(TRON, part=1), episode("Tron", 3, 1), episode("Tron", 1, 3, episode_numbers=(2, 3))]
    files = [attrs.evolve(draft(f"{number}.mkv"), **shown(each)) for number, each in enumerate([*files, other])]
    put_in(catalog, importer, *files)

    assert set(ranks(catalog).values()) == {1}
    assert len(on_air(catalog)) == len(files)


def shown(found: AssetDraft) -> dict[str, Any]:
    return attrs.asdict(found, filter=lambda field, _: field.name in {*SHOWN, "part"})


def test_interstitials_of_one_name_all_air(
    catalog: Catalog, importer: FakeImporter, collection: Collection, enricher: FakeEnricher
) -> None:
    put_in(catalog, importer, draft("a/ad.mkv", kind="commercial"), draft("b/ad.mkv", kind="commercial"), draft("c/ad.mkv"))

    assert len(catalog.schedulable_assets()) == 3
    (ad,) = catalog.select(named("a/ad.mkv"))
    assert (catalog.explain(ad.id).version_rank, catalog.explain(ad.id).versions) == (1, ())


def test_versions_of_several_episodes_and_of_all_collections_are_ranked_together(
    catalog: Catalog, importer: FakeImporter, collection: Collection
) -> None:
    two = episode("Dark", 1, 1, episode_numbers=BOTH)
    put_in(catalog, importer, file("one.mkv", two, height=480), file("second.mkv", episode("Dark", 1, 2)))
    local = collection.path_mappings[0].local_path
    catalog.add_collection("station", "More", path_mappings={"/media": local})
    catalog.attach_enricher("More", "fake")
    put_in(catalog, importer, file("better.mkv", two, height=720), collection="More")

    assert ranks(catalog) == {"better.mkv": 1, "second.mkv": 1, "one.mkv": 2}
    assert [name(each) for each in catalog.schedulable_assets("Shows")] == ["second.mkv"]
    assert [name(each) for each in catalog.schedulable_assets("Shows", versions="all")] == ["one.mkv", "second.mkv"]


def test_what_is_preferred_airs(stocked: Catalog) -> None:
    result = stocked.prefer(named("low.mkv"))

    assert (result.changed, result.paths) == (1, ("/media/low.mkv",))
    assert ranks(stocked) == {"low.mkv": 1, "larger.mkv": 2, "high.mkv": 3, "unknown.mkv": 4}
    (worst,) = stocked.select(named("unknown.mkv"))
    assert stocked.explain(worst.id).versions == (
        "'/media/low.mkv' airs: the operator prefers it",
        "'/media/larger.mkv' does not air: the operator prefers the one that airs",
        "'/media/high.mkv' does not air: the operator prefers the one that airs",
        "'/media/unknown.mkv' does not air: the operator prefers the one that airs",
    )


def test_a_preference_is_taken_from_the_other_versions(stocked: Catalog) -> None:
    stocked.prefer(named("low.mkv"))
    stocked.withdraw_approval(named("low.mkv"))
    stocked.prefer(named("high.mkv"))
    stocked.approve(named("low.mkv"))

    assert stocked.prefer(named("high.mkv")).unchanged == 1
    assert snapshot(stocked)["preference"][0][2] == "/media/high.mkv"
    assert len(snapshot(stocked)["preference"]) == 1
    assert on_air(stocked) == ["high.mkv"]


def test_a_preference_can_be_taken_back(stocked: Catalog) -> None:
    stocked.prefer(named("low.mkv"))

    result = stocked.unprefer(AssetSelector(kind="movie"))

    assert (result.changed, result.unchanged, result.paths) == (1, 3, ("/media/low.mkv",))
    assert snapshot(stocked)["preference"] == []
    assert on_air(stocked) == ["larger.mkv"]


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (lambda catalog, _: catalog.withdraw_approval(named("low.mkv")), "it is not approved: approve it"),
        (lambda catalog, _: catalog.retire(named("low.mkv")), "it is retired: reinstate it first; it is not approved"),
        (lambda _, importer: importer.drafts.pop(0), "its file is missing since"),
    ],
)
def test_what_may_not_be_scheduled_is_not_preferred(stocked: Catalog, importer: FakeImporter, spoil: Any, because: str) -> None:
    spoil(stocked, importer)
    stocked.ingest_collection("Shows")
    before = snapshot(stocked)

    with pytest.raises(CurationError, match=f"1 asset may not be scheduled.*\n.*'/media/low.mkv': .*{because}"):
        stocked.prefer(AssetSelector(kind="movie"))
    assert snapshot(stocked) == before


def test_of_two_versions_one_can_be_preferred(stocked: Catalog) -> None:
    before = snapshot(stocked)

    with pytest.raises(CurationError, match=r"'/media/high\.mkv' and '/media/low\.mkv'"):
        stocked.prefer(AssetSelector(path="*[hw].mkv"))
    assert snapshot(stocked) == before


def test_a_dry_run_prefers_nothing(stocked: Catalog) -> None:
    before = snapshot(stocked)

    assert stocked.prefer(named("low.mkv"), dry_run=True).changed == 1
    assert snapshot(stocked) == before


def test_a_preference_outlives_a_rebuild_and_a_move(stocked: Catalog, importer: FakeImporter) -> None:
    stocked.prefer(named("low.mkv"))
    stocked.wipe_collection("Shows")
    stocked.ingest_collection("Shows")
    assert on_air(stocked) == ["low.mkv"]

    importer.drafts = [file("moved.mkv", TRON, height=480, size=9000, mtime_ns=FILES[0].mtime_ns), *FILES[1:]]
    assert stocked.ingest_collection("Shows").moved == 1
    assert on_air(stocked) == ["moved.mkv"]


def test_what_is_forgotten_is_no_longer_preferred(stocked: Catalog, importer: FakeImporter) -> None:
    stocked.prefer(named("low.mkv"))
    importer.drafts = list(FILES[1:])
    stocked.ingest_collection("Shows")
    stocked.forget_missing("Shows", max_fraction=1)

    assert snapshot(stocked)["preference"] == []


def test_of_two_that_are_preferred_the_later_word_airs(stocked: Catalog, importer: FakeImporter) -> None:
    """One was away when the other was preferred, or came back with an undo."""
    stocked.prefer(named("larger.mkv"))
    importer.drafts = [each for each in FILES if "larger" not in each.file_path]
    stocked.ingest_collection("Shows")
    forgotten = stocked.forget_missing("Shows", max_fraction=1)
    stocked.prefer(named("low.mkv"))
    stocked.undo(str(forgotten.unit_id))
    importer.drafts = list(FILES)
    stocked.ingest_collection("Shows")

    assert len(snapshot(stocked)["preference"]) == 2
    assert ranks(stocked) == {"low.mkv": 1, "larger.mkv": 2, "high.mkv": 3, "unknown.mkv": 4}
    assert stocked.prefer(named("larger.mkv")).changed == 1
    assert on_air(stocked) == ["larger.mkv"]


def test_an_undo_takes_a_preference_back_and_gives_it_back_to_the_version_that_had_it(stocked: Catalog) -> None:
    stocked.prefer(named("low.mkv"))
    later = stocked.prefer(named("high.mkv"))

    stocked.undo(str(later.unit_id))

    assert on_air(stocked) == ["low.mkv"]
    assert stocked.check() == CheckReport()


def test_titles_that_become_one_have_versions(catalog: Catalog, importer: FakeImporter, collection: Collection) -> None:
    put_in(catalog, importer, file("a.mkv", TRON), file("b.mkv", movie("TRON!", 1982), height=480))
    assert on_air(catalog) == ["a.mkv", "b.mkv"]

    catalog.merge_titles("TRON!", into="Tron")

    assert on_air(catalog) == ["b.mkv"]


def test_another_word_for_versions_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="versions are one of"):
        catalog.schedulable_assets(versions="worst")  # type: ignore[arg-type]  # that is the point
