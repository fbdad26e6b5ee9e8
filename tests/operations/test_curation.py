"""What the operator decides and corrects holds: in later refreshes, moves, wipes and rebuilds, and in an undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import (
    Asset,
    AssetSelector,
    BusinessRuleError,
    Catalog,
    Collection,
    CurationError,
    IngestFilters,
    OperationError,
    ResourceError,
    ValidationError,
    Withdrawal,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

TAPE = draft("tape 7.mkv")
FILES = [
    episode("Space: 1999", 1, 1),
    episode("Space: 1999", 1, 2),
    episode("Space 1999", 1, 2, episode_title="War Games"),
    episode("Space 1999", 2, 1),
    movie("Tron", 1982),
    draft("bump.mkv", kind="bumper"),
    TAPE,
]


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with a show in two spellings, a movie, a bumper, and a tape that nothing could classify."""
    importer.drafts = list(FILES)
    catalog.ingest_collection(collection.name)
    return catalog


def at(catalog: Catalog, name: str) -> Asset:
    """The asset whose file has that name."""
    (found,) = catalog.select(AssetSelector(path=name))
    return found


def refused(catalog: Catalog, act: Callable[[], object], error: type[OperationError] = CurationError) -> str:
    """Why it is refused; it changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(error) as caught:
        act()
    assert snapshot(catalog) == before
    assert isinstance(caught.value.cause, ValidationError | BusinessRuleError | ResourceError)
    return str(caught.value.cause)


class TestDecide:
    def test_what_is_approved_ready_and_there_may_be_scheduled(self, stocked: Catalog) -> None:
        result = stocked.approve(AssetSelector(title="space: 1999"))

        assert (result.selected, result.changed, result.unchanged) == (2, 2, 0)
        scheduled = stocked.schedulable_assets()
        assert [asset.canonical_key for asset in scheduled] == list(result.paths)
        view = stocked.database.execute("SELECT id FROM schedulable_asset ORDER BY file_path")
        assert [id_ for (id_,) in view] == [asset.id for asset in scheduled]

    def test_approving_again_changes_nothing(self, stocked: Catalog) -> None:
        stocked.approve(AssetSelector())
        before = snapshot(stocked, journal=False)

        result = stocked.approve(AssetSelector())

        assert (result.changed, result.unchanged) == (0, 7)
        assert snapshot(stocked, journal=False) == before

    def test_what_is_not_ready_is_not_approved_and_each_says_why(
        self, stocked: Catalog, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        enricher.returns = lambda found: found
        importer.drafts = [*FILES, movie("Alien", 1979)]
        stocked.ingest_collection("Shows")
        stocked.retire(at(stocked, "bump.mkv"))

        reason = refused(stocked, lambda: stocked.approve(AssetSelector()))

        assert "2 assets are not ready" in reason
        assert "Alien (1979).mkv': its length is not known" in reason
        assert "bump.mkv': it is retired" in reason

    def test_approval_is_withdrawn(self, stocked: Catalog) -> None:
        stocked.approve(AssetSelector())

        result = stocked.withdraw_approval(AssetSelector(kind="episode"))

        assert {asset.kind for asset in stocked.schedulable_assets()} == {"movie", "bumper", "other"}
        assert {each.reason for each in result.withdrawals} == {"the operator withdrew it"}
        assert [each.path for each in result.withdrawals] == list(result.paths)

    def test_whoever_retires_is_told_what_had_been_approved(self, stocked: Catalog) -> None:
        stocked.approve(AssetSelector(kind="movie"))

        result = stocked.retire(AssetSelector())

        assert (result.changed, result.approvals_withdrawn) == (len(stocked.assets()), 1)
        (tape,) = stocked.assets(kind="movie")
        assert result.withdrawals == (Withdrawal(tape.id, tape.canonical_key, "it is retired"),)

    def test_what_else_is_decided_withdraws_no_approval(self, stocked: Catalog) -> None:
        stocked.approve(AssetSelector())
        results = [
            stocked.assign(AssetSelector(kind="movie"), title="TRON 2"),
            stocked.unassign(AssetSelector()),
            stocked.approve(AssetSelector()),
        ]

        assert all(asset.approved for asset in stocked.assets())
        assert [result.withdrawals for result in results] == [(), (), ()]

    def test_what_was_taken_back_is_read_again_by_the_next_ingest(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(kind="movie"), title="TRON 2")
        stocked.unassign(AssetSelector())

        assert stocked.ingest_collection("Shows").refreshed == 1
        assert [asset.title for asset in stocked.assets(kind="movie")] == ["Tron"]

    def test_what_is_retired_stays_so_until_it_is_reinstated(self, stocked: Catalog) -> None:
        stocked.approve(AssetSelector(kind="movie"))
        stocked.retire(AssetSelector(kind="movie"))
        stocked.ingest_collection("Shows", refresh="all")
        assert [(each.state, each.approved) for each in stocked.assets(kind="movie")] == [("retired", False)]

        stocked.reinstate(AssetSelector(kind="movie"))

        assert [(each.state, each.approved) for each in stocked.assets(kind="movie")] == [("ready", False)]

    @pytest.mark.parametrize("again", [False, True])
    def test_what_is_retired_is_so_after_a_wipe_unless_it_was_reinstated(self, stocked: Catalog, again: bool) -> None:
        stocked.retire(AssetSelector(kind="movie"))
        if again:
            stocked.reinstate(AssetSelector(kind="movie"))

        stocked.wipe_collection("Shows")
        stocked.ingest_collection("Shows")

        assert [each.state for each in stocked.assets(kind="movie")] == ["ready" if again else "retired"]

    def test_reinstated_without_a_known_length_it_is_new(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            db.execute("UPDATE asset SET duration_ms = NULL, state = 'new' WHERE kind = 'movie'")
        stocked.retire(AssetSelector(kind="movie"))

        stocked.reinstate(AssetSelector(kind="movie"))

        assert [each.state for each in stocked.assets(kind="movie")] == ["new"]

    def test_what_is_not_retired_is_not_reinstated(self, stocked: Catalog) -> None:
        assert "not retired" in refused(stocked, lambda: stocked.reinstate(AssetSelector(kind="movie")))

    @pytest.mark.parametrize("verb", ["approve", "withdraw_approval", "retire"])
    def test_every_decision_is_previewed_and_undone(self, stocked: Catalog, verb: str) -> None:
        stocked.approve(AssetSelector(kind="movie"))
        before = snapshot(stocked, journal=False)
        decide = getattr(stocked, verb)

        preview = decide(AssetSelector(), dry_run=True)
        assert snapshot(stocked, journal=False) == before
        real = decide(AssetSelector(), expect_assets=7)

        assert (preview.changed, preview.paths) == (real.changed, real.paths)
        said = {
            "approve": {"approval": {"insert": real.changed}},
            "withdraw_approval": {"approval": {"update": real.changed}},
            "retire": {"retirement": {"insert": real.changed}, "approval": {"update": 1}},
        }
        expected = {"asset": {"update": real.changed}, **said[verb]}
        assert dict(preview.changes.counts) == dict(real.changes.counts) == expected
        stocked.undo(real.unit_id)
        assert snapshot(stocked, journal=False) == before


class TestSelect:
    @pytest.mark.parametrize(
        ("selector", "names"),
        [
            (AssetSelector(title="SPACE: 1999", season=1, episode=2), ["Space: 1999/S01E02.mkv"]),
            (AssetSelector(title="Space 1999", season=2), ["Space 1999/S02E01.mkv"]),
            (AssetSelector(unclassified=True), ["tape 7.mkv"]),
            (AssetSelector(kind="other"), ["tape 7.mkv"]),
            (AssetSelector(path="/media/Space */S01*"), ["Space 1999/S01E02.mkv"]),
            (AssetSelector(path="bump.mkv"), ["bump.mkv"]),
            (AssetSelector(path="b[aou]mp.mkv", state="ready", missing=False, approved=False), ["bump.mkv"]),
            (AssetSelector(collection="shows", kind="movie"), ["Tron (1982).mkv"]),
            (AssetSelector(path="BUMP.mkv"), []),
            (AssetSelector(path="ump.mkv"), []),
            (AssetSelector(approved=True), []),
            (AssetSelector(missing=True), []),
            (AssetSelector(title="Tron", season=1), []),
        ],
        ids=str,
    )
    def test_a_selector_finds_what_it_describes(self, stocked: Catalog, selector: AssetSelector, names: list[str]) -> None:
        assert [asset.canonical_key for asset in stocked.select(selector)] == [f"/media/{name}" for name in names]

    def test_assets_are_named_by_identifier_by_themselves_or_several_at_once(self, stocked: Catalog) -> None:
        tape, bump = at(stocked, "tape 7.mkv"), at(stocked, "bump.mkv")

        assert stocked.approve(tape).changed == 1
        assert stocked.approve(bump.id).changed == 1
        assert stocked.withdraw_approval([tape, bump.id, bump]).selected == 2
        assert stocked.approve(each for each in (tape, bump)).changed == 2

    @pytest.mark.parametrize(
        "assets",
        [
            AssetSelector(season=1),
            AssetSelector(title="Tron", episode=1),
            AssetSelector(title="Tron", season=-1),
            AssetSelector(title=" "),
            AssetSelector(path=""),
            AssetSelector(kind="film"),  # type: ignore[arg-type]  # what a user may type
            AssetSelector(state="old"),  # type: ignore[arg-type]  # likewise
            AssetSelector(kind="movie", unclassified=True),
            AssetSelector(collection="nowhere"),
            AssetSelector(missing="yes"),  # type: ignore[arg-type]  # likewise
            AssetSelector(title="Tron", season=2**70),
            AssetSelector(title="Nothing"),
            [],
            "nothing",
            ["nothing", 7],
            7,
        ],
        ids=str,
    )
    def test_a_selection_that_is_none_changes_nothing(self, stocked: Catalog, assets: Any) -> None:
        refused(stocked, lambda: stocked.approve(assets))

    def test_another_number_than_expected_changes_nothing(self, stocked: Catalog) -> None:
        reason = refused(stocked, lambda: stocked.approve(AssetSelector(), expect_assets=6))

        assert "7 assets are selected, not the expected 6" in reason

    def test_what_is_no_selector_changes_nothing(self, stocked: Catalog) -> None:
        with pytest.raises(ValidationError, match=r"selected by an AssetSelector, not by 'tape 7\.mkv'"):
            stocked.select("tape 7.mkv")  # type: ignore[arg-type]  # that is the point


class TestAssign:
    @pytest.mark.parametrize(
        ("identity", "reason"),
        [
            ({"kind": "movie"}, "an asset of kind movie needs a title"),
            ({"kind": "episode", "title": "Dark", "season_number": 1}, "an episode needs a season_number"),
            ({"kind": "episode", "title": "Dark", "episode_numbers": [1]}, "an episode needs a season_number"),
        ],
    )
    def test_an_identity_that_lacks_something_changes_nothing(
        self, stocked: Catalog, identity: dict[str, Any], reason: str
    ) -> None:
        assert reason in refused(stocked, lambda: stocked.assign(at(stocked, "tape 7.mkv"), **identity))

    def test_an_interstitial_is_explained_by_its_kind_alone(self, stocked: Catalog) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="bumper")

        sentences = stocked.explain(at(stocked, "tape 7.mkv").id).history
        assert "assigned by the operator, whose word outranks the file's: bumper" in sentences

    def test_a_file_that_could_not_be_read_becomes_an_episode(self, stocked: Catalog) -> None:
        stocked.assign(
            at(stocked, "tape 7.mkv"),
            kind="episode",
            title="Dark",
            year=2017,
            season_number=1,
            episode_numbers=[3, 4],
            episode_title="Past and Present",
        )

        found = at(stocked, "tape 7.mkv")
        assert (found.kind, found.title, found.year, found.season_number) == ("episode", "Dark", 2017, 1)
        assert (found.episode_numbers, found.episode_title) == ((3, 4), "Past and Present")
        assert stocked.check().is_sound

    @pytest.mark.parametrize("refresh", [None, "changed", "all"])
    def test_it_stays_so_in_later_ingests(self, stocked: Catalog, importer: FakeImporter, refresh: Any) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing", year=1951)
        stocked.approve(at(stocked, "tape 7.mkv"))
        importer.drafts = [attrs.evolve(each, size=7) for each in FILES]

        result = stocked.ingest_collection("Shows", refresh=refresh)

        assert result.unclassified == 0
        found = at(stocked, "tape 7.mkv")
        assert (found.kind, found.title, found.year) == ("movie", "The Thing", 1951)

    def test_a_refresh_that_finds_nothing_new_leaves_the_approval(self, stocked: Catalog) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")
        stocked.approve(at(stocked, "tape 7.mkv"))

        stocked.ingest_collection("Shows", refresh="all")

        assert at(stocked, "tape 7.mkv").approved

    def test_it_follows_its_file(self, stocked: Catalog, importer: FakeImporter) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")
        moved = attrs.evolve(TAPE, file_path="/media/archive/7.mkv", source_path="/media/archive/7.mkv")
        importer.drafts = [*FILES[:-1], moved]

        assert stocked.ingest_collection("Shows", refresh="all").moved == 1

        assert at(stocked, "archive/7.mkv").title == "The Thing"
        stocked.ingest_collection("Shows", refresh="all")
        assert at(stocked, "archive/7.mkv").title == "The Thing"

    def test_what_was_said_of_a_file_that_once_lay_there_is_over(self, stocked: Catalog, importer: FakeImporter) -> None:
        """A wipe keeps what was said of files; another file that comes to lie under such a path brings its own."""
        stocked.assign(at(stocked, "bump.mkv"), kind="movie", title="Alien")
        stocked.retire(at(stocked, "bump.mkv"))
        stocked.wipe_collection("Shows")
        importer.drafts = [*FILES[:-2], TAPE]
        stocked.ingest_collection("Shows")
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")
        moved = attrs.evolve(TAPE, file_path="/media/bump.mkv", source_path="/media/bump.mkv")
        importer.drafts = [*FILES[:-2], moved]

        assert stocked.ingest_collection("Shows").moved == 1
        stocked.ingest_collection("Shows", refresh="all")

        assert (at(stocked, "bump.mkv").title, at(stocked, "bump.mkv").state) == ("The Thing", "ready")

    def test_it_is_still_known_after_a_rebuild(self, stocked: Catalog) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")

        with stocked.prepare_ingest("Shows", as_if_empty=True, strict_names=True) as prepared, stocked.session():
            stocked.wipe_collection("Shows")
            stocked.ingest_collection(prepared)

        assert at(stocked, "tape 7.mkv").title == "The Thing"
        assert stocked.check().is_sound

    def test_it_is_known_to_a_single_file_s_processing_too(self, stocked: Catalog, media: Path) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")
        (media / "tape 7.mkv").touch()

        result = stocked.process_asset(attrs.evolve(TAPE, file_path=str(media / "tape 7.mkv")), "Shows", refresh="all")

        assert result.asset.title == "The Thing"

    def test_what_is_forgotten_is_forgotten_with_it(self, stocked: Catalog, importer: FakeImporter) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="The Thing")
        importer.drafts = FILES[:-1]
        stocked.ingest_collection("Shows")
        stocked.forget_missing("Shows", max_fraction=1)
        importer.drafts = list(FILES)

        stocked.ingest_collection("Shows")

        assert at(stocked, "tape 7.mkv").kind == "other"

    def test_taken_back_the_file_speaks_again_from_the_next_refresh_on(self, stocked: Catalog) -> None:
        before = at(stocked, "Tron (1982).mkv")
        stocked.assign(before, title="The Thing", year=1951)

        assert stocked.unassign(AssetSelector()).changed == 1

        assert at(stocked, "Tron (1982).mkv").title == "The Thing"
        assert stocked.ingest_collection("Shows", refresh="changed").refreshed == 1
        assert at(stocked, "Tron (1982).mkv") == before
        assert stocked.unassign(AssetSelector()).changed == 0

    @pytest.mark.parametrize("name", ["tron", "TRON"])
    def test_without_a_year_the_one_title_of_that_name_is_meant(self, stocked: Catalog, name: str) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title=name)
        assert (at(stocked, "tape 7.mkv").title, at(stocked, "tape 7.mkv").year) == ("Tron", 1982)

        stocked.assign(at(stocked, "tape 7.mkv"), title=name, year=0)

        assert (at(stocked, "tape 7.mkv").title, at(stocked, "tape 7.mkv").year) == (name, None)

    def test_a_title_is_known_by_the_name_that_was_merged_away(self, stocked: Catalog) -> None:
        stocked.merge_titles("Space 1999", into="Space: 1999")

        stocked.assign(at(stocked, "tape 7.mkv"), kind="episode", title="SPACE 1999", season_number=1, episode_numbers=(7,))

        assert at(stocked, "tape 7.mkv").title == "Space: 1999"

    def test_what_was_not_said_is_as_it_was(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(title="Space 1999", season=1), season_number=3)

        (found,) = stocked.select(AssetSelector(title="Space 1999", season=3))
        assert (found.episode_numbers, found.episode_title) == ((2,), "War Games")

    def test_another_kind_keeps_only_what_it_has(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(title="Space 1999", season=2), kind="promo")

        found = at(stocked, "Space 1999/S02E01.mkv")
        assert (found.kind, found.title, found.season_number, found.episode_numbers) == ("promo", None, None, ())
        assert stocked.check().is_sound

    def test_an_episode_that_another_file_shows_may_be_assigned_again(self, stocked: Catalog) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="episode", title="Space: 1999", season_number=1, episode_numbers=(1,))

        assert len(stocked.select(AssetSelector(title="Space: 1999", season=1, episode=1))) == 2

    def test_an_episode_s_name_stays_though_another_file_tells_another(self, stocked: Catalog, importer: FakeImporter) -> None:
        other = draft("other.mkv", kind="episode", title="Space: 1999", season_number=1, episode_numbers=(1,))
        importer.drafts = [*FILES, attrs.evolve(other, episode_title="What the file says")]
        stocked.ingest_collection("Shows")
        stocked.assign(at(stocked, "Space: 1999/S01E01.mkv"), episode_title="Breakaway")

        stocked.ingest_collection("Shows", refresh="all")

        assert at(stocked, "other.mkv").episode_title == "Breakaway"

    def test_what_nothing_shows_any_more_is_gone(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(kind="movie"), title="TRON!")

        assert [title.name for title in stocked.titles("movie")] == ["TRON!"]

    def test_the_same_said_again_changes_nothing_about_the_asset(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(kind="movie"), title="TRON")

        again = stocked.assign(AssetSelector(kind="movie"), title="TRON")

        assert again.changed == 0
        assert again.changes is not None
        assert not again.changes.counts

    def test_it_is_previewed_and_undone(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)
        said: dict[str, Any] = {"kind": "movie", "title": "The Thing", "year": 1951}

        preview = stocked.assign(at(stocked, "tape 7.mkv"), **said, dry_run=True)
        assert snapshot(stocked, journal=False) == before
        real = stocked.assign(at(stocked, "tape 7.mkv"), **said)

        assert dict(preview.changes.counts) == dict(real.changes.counts)  # type: ignore[union-attr]  # they are recorded
        stocked.undo(real.unit_id or "")
        assert snapshot(stocked, journal=False) == before

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"season_number": 1},
            {"kind": "movie"},
            {"kind": "movie", "title": "Tron", "season_number": 1},
            {"kind": "episode", "title": "Dark"},
            {"kind": "episode", "title": "Dark", "season_number": 1},
            {"kind": "episode", "title": "Dark", "season_number": -1, "episode_numbers": (1,)},
            {"kind": "episode", "title": "Dark", "season_number": 1, "episode_numbers": (1, 1)},
            {"kind": "episode", "title": "Dark", "season_number": 1, "episode_numbers": "12"},
            {"kind": "episode", "title": "Dark", "season_number": 1, "episode_numbers": 1},
            {"kind": "bumper", "title": "Dark"},
            {"kind": "film", "title": "Dark"},
            {"kind": "movie", "title": ""},
            {"kind": "movie", "title": "\udc80"},
            {"kind": "movie", "title": "Dark", "year": -1},
            {"kind": "movie", "title": "Dark", "year": ""},
            {"kind": "movie", "title": "Dark", "year": 2**70},
            {"episode_title": "Nothing"},
        ],
        ids=repr,
    )
    def test_what_does_not_fit_together_is_refused(self, stocked: Catalog, said: dict[str, Any]) -> None:
        refused(stocked, lambda: stocked.assign(at(stocked, "tape 7.mkv"), **said))


class TestTitles:
    def titles(self, catalog: Catalog) -> list[tuple[str, int | None, int, int, int]]:
        return [(each.name, each.year, each.seasons, each.episodes, each.assets) for each in catalog.titles()]

    def test_two_spellings_are_merged_and_nothing_is_lost(self, stocked: Catalog) -> None:
        before = {asset.id for asset in stocked.assets()}

        result = stocked.merge_titles("Space 1999", into="Space: 1999")

        assert self.titles(stocked) == [("Space: 1999", None, 2, 3, 4), ("Tron", 1982, 0, 0, 1)]
        assert (result.title.assets, result.merged and result.merged.name) == (4, "Space 1999")
        assert {asset.id for asset in stocked.assets()} == before
        names = {asset.episode_title for asset in stocked.select(AssetSelector(title="Space: 1999", season=1, episode=2))}
        assert names == {"War Games"}
        assert stocked.check().is_sound

    def test_movies_are_merged(self, stocked: Catalog, importer: FakeImporter) -> None:
        importer.drafts = [*FILES, movie("T.R.O.N", 1982)]
        stocked.ingest_collection("Shows")

        stocked.merge_titles(stocked.titles("movie")[0].id, into=stocked.titles("movie")[1].id)

        assert [(title.name, title.assets) for title in stocked.titles("movie")] == [("Tron", 2)]

    @pytest.mark.parametrize("change", ["merge", "rename"])
    def test_files_with_the_old_name_belong_to_the_title_from_then_on(
        self, stocked: Catalog, importer: FakeImporter, change: str
    ) -> None:
        if change == "merge":
            stocked.merge_titles("Space 1999", into="Space: 1999")
        else:
            stocked.assign(AssetSelector(title="Space: 1999"), kind="filler")
            stocked.rename_title("Space 1999", name="Space: 1999")
        importer.drafts = [*FILES, episode("Space 1999", 2, 9)]
        stocked.ingest_collection("Shows", refresh="all")
        stocked.wipe_collection("Shows")

        stocked.ingest_collection("Shows", IngestFilters("Space 1999", 2, 1))
        stocked.ingest_collection("Shows", IngestFilters("Space: 1999", 2, 9))

        assert [title.name for title in stocked.titles("show")] == ["Space: 1999"]
        assert [asset.episode_numbers for asset in stocked.select(AssetSelector(title="Space: 1999", season=2))] == [(1,), (9,)]

    def test_names_may_change_again_and_go_back(self, stocked: Catalog) -> None:
        for name in ("TRON", "Tron!", "Tron"):
            stocked.rename_title(stocked.titles("movie")[0].id, name=name)
            stocked.ingest_collection("Shows", refresh="all")
            assert [title.name for title in stocked.titles("movie")] == [name]

        assert {row[2:] for row in snapshot(stocked, journal=False)["title_spelling"]} == {
            ("TRON", 1982, "Tron", 1982),
            ("Tron!", 1982, "Tron", 1982),
        }

    def test_a_name_that_was_given_anew_means_the_title_that_has_it_now(self, stocked: Catalog) -> None:
        stocked.rename_title("Space: 1999", name="Moonbase Alpha")
        stocked.rename_title("Space 1999", name="Space: 1999")

        stocked.assign(at(stocked, "tape 7.mkv"), kind="episode", title="space: 1999", season_number=9, episode_numbers=(1,))

        assert [title.name for title in stocked.titles("show")] == ["Moonbase Alpha", "Space: 1999"]
        assert at(stocked, "tape 7.mkv").title == "Space: 1999"

    def test_two_titles_may_swap_their_names(self, stocked: Catalog) -> None:
        stocked.assign(AssetSelector(title="Space 1999"), title="Dark")
        stocked.unassign(AssetSelector(title="Dark"))
        stocked.rename_title("Dark", name="Space 1999")
        ids = {title.id: title.name for title in stocked.titles("show")}
        for title, name in (("Space 1999", "swapping"), ("Space: 1999", "Space 1999"), ("swapping", "Space: 1999")):
            stocked.rename_title(title, name=name)
        swapped = {"Space 1999": "Space: 1999", "Space: 1999": "Space 1999"}

        stocked.ingest_collection("Shows", refresh="all")

        assert {title.id: title.name for title in stocked.titles("show")} == {id_: swapped[name] for id_, name in ids.items()}

    def test_a_year_is_corrected_or_forgotten(self, stocked: Catalog) -> None:
        stocked.rename_title("Tron (1982)", year=1983)
        assert [title.year for title in stocked.titles("movie")] == [1983]

        stocked.rename_title("tron", year=0)

        assert [title.year for title in stocked.titles("movie")] == [None]

    def test_an_assigned_title_is_renamed_with_the_others(self, stocked: Catalog) -> None:
        stocked.assign(at(stocked, "tape 7.mkv"), kind="movie", title="Tron", year=1982)
        stocked.rename_title("Tron", name="TRON")

        stocked.ingest_collection("Shows", refresh="all")

        assert at(stocked, "tape 7.mkv").title == "TRON"
        assert len(stocked.titles("movie")) == 1

    @pytest.mark.parametrize("change", ["merge", "rename"])
    def test_it_is_previewed_and_undone(self, stocked: Catalog, change: str) -> None:
        before = snapshot(stocked, journal=False)

        def act(*, dry_run: bool) -> Any:
            if change == "merge":
                return stocked.merge_titles("Space 1999", into="Space: 1999", dry_run=dry_run)
            return stocked.rename_title("Tron", name="TRON", dry_run=dry_run)

        preview = act(dry_run=True)
        assert snapshot(stocked, journal=False) == before
        real = act(dry_run=False)

        assert dict(preview.changes.counts) == dict(real.changes.counts)
        stocked.undo(real.unit_id)
        assert snapshot(stocked, journal=False) == before

    @pytest.mark.parametrize(
        ("merged", "into"),
        [("Tron", "Space: 1999"), ("Tron", "tron (1982)"), ("Nothing", "Tron"), ("Tron", "Nothing"), ("", "Tron")],
    )
    def test_what_cannot_be_merged_is_refused(self, stocked: Catalog, merged: str, into: str) -> None:
        refused(stocked, lambda: stocked.merge_titles(merged, into=into))

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"name": "Space 1999"},
            {"name": "SPACE 1999"},
            {"name": " "},
            {"name": 7},
            {"name": "a\0b"},
            {"year": -1},
            {"year": 10**6},
        ],
        ids=repr,
    )
    def test_a_name_that_cannot_be_had_is_refused(self, stocked: Catalog, said: dict[str, Any]) -> None:
        refused(stocked, lambda: stocked.rename_title("Space: 1999", **said))

    def test_an_ambiguous_title_is_refused_with_its_candidates(self, stocked: Catalog, importer: FakeImporter) -> None:
        importer.drafts = [*FILES, movie("Tron", 2010)]
        stocked.ingest_collection("Shows")

        reason = refused(stocked, lambda: stocked.rename_title("Tron", name="TRON"))

        assert "Tron (1982)" in reason
        assert "Tron (2010)" in reason


class TestExplain:
    def test_what_may_be_scheduled_says_so(self, stocked: Catalog) -> None:
        tape = at(stocked, "tape 7.mkv")
        stocked.approve(tape)

        explanation = stocked.explain(tape.id)

        assert (explanation.is_schedulable, explanation.reasons) == (True, ())

    @pytest.mark.parametrize(
        ("way", "sentence"),
        [
            (
                "new",
                "its length is not known: attach an enricher that measures it (ffprobe), ingest with --refresh changed",
            ),
            ("retired", "it is retired: reinstate it first"),
            ("missing", "its file is missing since "),
            ("unapproved", "it is not approved: approve it"),
        ],
    )
    def test_each_way_off_the_air_has_its_sentence(
        self, stocked: Catalog, importer: FakeImporter, way: str, sentence: str
    ) -> None:
        tape = at(stocked, "tape 7.mkv")
        if way != "unapproved":
            stocked.approve(tape)
        if way == "retired":
            stocked.retire(tape)
        if way == "missing":
            importer.drafts = FILES[:-1]
            stocked.ingest_collection("Shows")
        if way == "new":
            with stocked.session() as db:
                db.execute("UPDATE asset SET duration_ms = NULL, state = 'new', approved = 0 WHERE id = ?", (tape.id,))

        explanation = stocked.explain(tape.id)

        assert not explanation.is_schedulable
        assert any(reason.startswith(sentence) for reason in explanation.reasons)
        assert not {asset.id for asset in stocked.schedulable_assets()} & {tape.id}

    def test_its_history_is_told_over_the_units(self, stocked: Catalog) -> None:
        tape = at(stocked, "tape 7.mkv")
        created = stocked.history(1)[0]
        stocked.assign(tape, kind="movie", title="The Thing")
        approved = stocked.approve(tape)

        history = stocked.explain(tape.id).history

        assert history[0] == f"created by collection_ingest at {created.committed_at} (unit {created.id})"
        assert "asset_assign" in history[1]
        assert "kind 'other' -> 'movie'" in history[1]
        assert str(approved.unit_id) in history[2]
        assert "approved 0 -> 1" in history[2]
        assert history[3] == "assigned by the operator, whose word outranks the file's: movie of 'The Thing'"

    @pytest.mark.parametrize(
        "clock",
        [
            "UPDATE unit_of_work SET committed_at = '2020-01-01T00:00:00.000000Z'",
            "UPDATE unit_of_work SET started_at = '2020-01-01T00:00:00.000000Z', committed_at = '9999'",
        ],
        ids=["no unit was under way then", "several were"],
    )
    def test_where_the_clock_was_set_back_the_records_say_which_unit_created_it(
        self, stocked: Catalog, importer: FakeImporter, media: Path, clock: str
    ) -> None:
        tape, created = at(stocked, "tape 7.mkv"), stocked.history(1)[0]
        stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
        more = stocked.ingest_collection("More")
        other = apsw.Connection(stocked.database.path)
        other.execute(clock).fetchall()
        other.close()

        (later,) = [each for each in stocked.assets("More") if each.canonical_key == tape.canonical_key]
        assert f"(unit {created.id})" in stocked.explain(tape.id).history[0]
        assert f"(unit {more.unit_id})" in stocked.explain(later.id).history[0]

    def test_what_an_undo_brought_back_was_created_by_whoever_added_it_first(self, stocked: Catalog) -> None:
        tape, created = at(stocked, "tape 7.mkv"), stocked.history(1)[0]
        stocked.undo(stocked.wipe_collection("Shows").unit_id or "")

        assert f"(unit {created.id})" in stocked.explain(tape.id).history[0]

    def test_what_is_no_longer_recorded_is_told_as_such(self, stocked: Catalog) -> None:
        tape = at(stocked, "tape 7.mkv")
        with Catalog(stocked.database.path, undo_units=0) as forgetful:
            forgetful.add_source("another")

        assert "no longer recorded" in stocked.explain(tape.id).history[0]

    @pytest.mark.parametrize("selector", ["nothing", None, 7, b"tape 7.mkv"])
    def test_an_unknown_asset_is_refused(self, stocked: Catalog, selector: Any) -> None:
        with pytest.raises(ValidationError, match="there is no asset"):
            stocked.explain(selector)
