"""What people type names what is meant, whatever its case and Unicode form; and what cannot be told apart is refused."""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from commandline import Run
from harness import draft, episode, mounted, movie

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    Catalog,
    Collection,
    ConfigurationError,
    CurationError,
    FoundCollection,
    IngestError,
    IngestFilters,
    ValidationError,
)
from retrovue_uow.store import decisions
from retrovue_uow.testing import FakeImporter, snapshot

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Später") for form in ("NFC", "NFD"))
FORMS = [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)]

OLDER = Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz"


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection("Shows")
    return catalog


BY_ID: dict[str, Callable[[Catalog, str], Any]] = {
    "asset": lambda c, _: c.asset(c.assets()[0].id.upper()).id == c.assets()[0].id,
    "markers": lambda c, _: c.markers(c.assets()[0].id.upper()) == [],
    "explanation": lambda c, _: c.explain(c.assets()[0].id.upper()).asset == c.assets()[0],
    "assets to approve": lambda c, _: c.approve([c.assets()[0].id.upper(), c.assets()[0].id]).selected == 1,
    "collection": lambda c, _: c.collection(c.collections()[0].id.upper()).name == "Shows",
    "collection of assets": lambda c, _: len(c.assets(c.collections()[0].id.upper())) == 4,
    "collection to ingest": lambda c, _: c.ingest_collection(c.collections()[0].id.upper()).unchanged == 4,
    "source": lambda c, _: c.source(c.sources()[0].id.upper()).name == "station",
    "title": lambda c, _: c.rename_title(c.titles()[0].id.upper(), name="Moonbase").title.name == "Moonbase",
    "unit": lambda c, unit: c.unit(unit.upper()).id == unit,
    "changes of a unit": lambda c, unit: c.changes(unit.upper()).counts["asset"] == {"insert": 4},
    "unit to undo": lambda c, unit: c.undo(unit.upper()).unit_id == c.unit(unit).undone_by,
}


@pytest.mark.parametrize("what", BY_ID)
def test_an_identifier_is_found_in_upper_case(stocked: Catalog, what: str) -> None:
    unit = stocked.last_ingest("Shows")
    assert unit is not None

    assert BY_ID[what](stocked, unit.id)


@pytest.mark.parametrize("end", [slice(-8, None), slice(-12, None), slice(0, 35)])
def test_assets_and_units_are_named_by_a_beginning_or_an_end_that_is_theirs_alone(stocked: Catalog, end: slice) -> None:
    unit = stocked.last_ingest("Shows")
    assert unit is not None
    for asset in stocked.assets():
        part = asset.id[end].upper()
        assert stocked.asset(part) == stocked.explain(part).asset == asset
        assert [each.id for each in stocked.approve([part], dry_run=True).assets or [asset]] == [asset.id]

    assert stocked.unit(unit.id[end]).id == unit.id
    assert stocked.undo(unit.id[end]).undone_unit_id == unit.id


def test_a_part_that_several_identifiers_have_is_refused_with_them_and_a_short_one_names_nothing(stocked: Catalog) -> None:
    first, second, *_ = (each.id for each in stocked.assets())
    assert first[:8] == second[:8]

    with pytest.raises(ValidationError, match=f"several identifiers begin or end with '{first[:8]}'") as caught:
        stocked.asset(first[:8])
    with pytest.raises(ValidationError, match="there is no asset"):
        stocked.asset(first[-7:])

    assert first in str(caught.value)
    assert second in str(caught.value)


def test_a_misspelt_name_is_answered_by_the_nearest_one_alone(stocked: Catalog) -> None:
    with pytest.raises(ValidationError, match="there is no collection 'Shwos': did you mean 'Shows'") as caught:
        stocked.collection("Shwos")

    assert str(caught.value).endswith("did you mean 'Shows'?")


@pytest.mark.parametrize(("name", "typed"), FORMS)
def test_sources_and_collections_are_found_in_any_form(
    catalog: Catalog, importer: FakeImporter, media: Path, name: str, typed: str
) -> None:
    catalog.add_source(name, "fake")
    catalog.add_collection(typed, name, path_mappings={"/media": str(media)})

    assert catalog.source(typed.upper()).name == name
    assert catalog.ingest_collection(typed.upper()).collection.name == name


@pytest.mark.parametrize(("name", "typed"), FORMS)
def test_titles_and_paths_are_selected_in_any_form(
    catalog: Catalog, collection: Collection, importer: FakeImporter, name: str, typed: str
) -> None:
    importer.drafts = [movie(name, 1982), draft("bump.mkv", kind="bumper")]
    catalog.ingest_collection("Shows")

    assert catalog.ingest_collection("Shows", IngestFilters(title=typed.upper())).discovered == 1
    for selector in (AssetSelector(title=typed.upper()), AssetSelector(path=f"*{typed}*"), AssetSelector(path=f"{typed} (*")):
        assert [asset.kind for asset in catalog.select(selector)] == ["movie"]
    assert catalog.rename_title(typed, name="Tron").title.name == "Tron"
    assert catalog.ingest_collection("Shows", IngestFilters(title=typed)).discovered == 1


@pytest.mark.parametrize(("name", "typed"), FORMS)
def test_a_folder_is_found_in_any_form(run: Run, here: Path, name: str, typed: str) -> None:
    (here / name).mkdir()
    (here / name / "Tron (1982).mkv").touch()
    assert run("ingest", here / name, "--no-probe").exit_code == 0

    assert run("collection", "show", typed).exit_code == 0
    assert "Tron" in run("asset", "list", typed).stdout


@pytest.mark.parametrize(("name", "other"), FORMS)
def test_a_second_name_that_differs_in_form_alone_is_refused(
    catalog: Catalog, collection: Collection, name: str, other: str
) -> None:
    catalog.add_source(name)
    catalog.add_collection("station", name, external_id=name)
    before = snapshot(catalog)

    for refused in (
        lambda: catalog.add_source(other),
        lambda: catalog.add_collection("station", other),
        lambda: catalog.add_collection("station", "New", external_id=other),
    ):
        with pytest.raises(ConfigurationError, match="already"):
            refused()
    assert snapshot(catalog) == before
    assert catalog.add_collection(name, other).name == other


@pytest.mark.parametrize("known", [True, False])
def test_a_discovery_of_names_that_differ_in_form_alone_adds_nothing(
    catalog: Catalog, importer: FakeImporter, known: bool
) -> None:
    catalog.add_source("station", "fake")
    importer.found = [FoundCollection(COMPOSED)]
    if known:
        catalog.discover_collections("station")
    importer.found = [FoundCollection("New"), FoundCollection(COMPOSED), FoundCollection(DECOMPOSED)]
    before = snapshot(catalog)

    with pytest.raises(ConfigurationError, match="Unicode form alone"):
        catalog.discover_collections("station")

    assert snapshot(catalog) == before


def test_names_that_were_alike_before_stay_and_are_mentioned(
    catalog: Catalog, collection: Collection, importer: FakeImporter, run: Run, here: Path
) -> None:
    """As earlier versions let them in."""
    catalog.add_source(COMPOSED, "fake")
    catalog.add_source("other", "fake")
    catalog.add_collection("station", COMPOSED)
    catalog.add_collection("station", "other")
    with catalog.session() as db:
        for table in ("source", "collection"):
            db.execute(f"UPDATE {table} SET name = ? WHERE name = 'other'", (DECOMPOSED,))  # noqa: S608  the names above

    report = catalog.check()

    assert report.is_sound
    assert [(each.rule, each.subject) for each in report.mentions] == [("alike_names", "collection"), ("alike_names", "source")]
    with pytest.raises(ValidationError, match="ambiguous: name one of these by its id"):
        catalog.source(COMPOSED)
    importer.found = [FoundCollection(COMPOSED), FoundCollection(DECOMPOSED)]
    assert len(catalog.discover_collections(catalog.sources()[-1].id)) == 2
    printed = run("check", "--catalog", catalog.database.path)
    assert printed.exit_code == 0
    assert "the catalogue is sound" in printed.stdout
    assert "alike_names" in printed.stdout


def test_a_sound_catalogue_has_nothing_to_mention(stocked: Catalog) -> None:
    assert stocked.check().mentions == ()


def test_all_enrichers_that_are_gone_are_named_with_what_to_do(
    tmp_path: Path, catalog: Catalog, collection: Collection, media: Path, importer: FakeImporter
) -> None:
    with catalog.session() as db:
        db.execute(
            """
            INSERT INTO collection_enricher (collection_id, type, config, priority)
            VALUES (?1, 'ocr', '{}', 5), (?1, 'nfo', '{}', 6)
            """,
            (collection.id,),
        )
    before = snapshot(catalog)
    remedy = "there is no enricher type 'ocr', 'fake': install what provides it, or detach it"

    with Catalog(tmp_path / "catalog.db", importers={"fake": importer}) as bare:
        with pytest.raises(IngestError, match=remedy) as ingesting:
            bare.ingest_collection("Shows")
        with pytest.raises(AssetProcessingError, match=remedy):
            bare.process_asset(mounted(draft("a.mkv"), str(media)), "Shows")

    assert isinstance(ingesting.value.cause, ValidationError)
    assert snapshot(catalog) == before


def test_an_importer_that_is_gone_is_named_with_what_to_do(tmp_path: Path, catalog: Catalog, collection: Collection) -> None:
    with Catalog(tmp_path / "catalog.db") as bare, pytest.raises(IngestError, match="no importer type 'fake': install what"):
        bare.ingest_collection("Shows")


class TestTitlesThatDifferInCaseAlone:
    @pytest.mark.parametrize(
        ("first", "then"),
        [
            *(("Doctor Who", "Doctor who"), ("Später", "SPÄTER"), ("Später", "Spa\u0308ter"), ("Straße", "STRASSE")),
            *(("\N{KELVIN SIGN}ojak", "Kojak"), ("Kojak", "\N{KELVIN SIGN}OJAK"), ("Kojak", "\N{KELVIN SIGN}ojak")),
        ],
    )
    @pytest.mark.parametrize("at_once", [True, False])
    def test_they_are_one_and_the_first_spelling_stays(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, first: str, then: str, at_once: bool
    ) -> None:
        drafts = [episode(first, 1, 1, year=1963), episode(then, 1, 2, year=1963), movie(first, 1963), episode(then, 1, 3)]
        for found in [drafts] if at_once else [drafts[:1], drafts]:
            importer.drafts = found
            catalog.ingest_collection(collection.name)
        catalog.ingest_collection(collection.name, refresh="all")

        shows = {(title.name, title.year, title.episodes) for title in catalog.titles("show")}
        assert shows == {(first, 1963, 2), (then, None, 1)}
        assert catalog.check().violations == ()

    @pytest.mark.parametrize("oldest", ["Kojak", "KOJAK", "\N{KELVIN SIGN}ojak"])
    def test_of_several_the_oldest_is_meant(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, oldest: str
    ) -> None:
        importer.drafts = [movie("Fargo"), movie("M"), movie("Tron")]
        catalog.ingest_collection(collection.name)
        names = sorted(["Kojak", "KOJAK", "\N{KELVIN SIGN}ojak"], key=lambda name: (name != oldest, name))
        with catalog.session() as db:  # as earlier versions let them in
            for order, (title, name) in enumerate(zip(catalog.titles("movie"), names, strict=True)):
                db.execute("UPDATE title SET name = ?, created_at = ? WHERE id = ?", (name, f"202{order}", title.id))

        importer.drafts = [movie("kojak")]
        catalog.ingest_collection(collection.name)

        (found,) = catalog.select(AssetSelector(path="*/kojak*"))
        assert found.title == oldest

    def test_what_was_merged_or_renamed_is_meant_in_any_case(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [episode("Chers", 1, 1), episode("Cheers", 1, 2)]
        catalog.ingest_collection(collection.name)
        catalog.merge_titles("Chers", into="Cheers")
        importer.drafts = [*importer.drafts, episode("CHERS", 1, 3)]

        catalog.ingest_collection(collection.name)

        assert [title.name for title in catalog.titles("show")] == ["Cheers"]

    def test_pairs_of_an_older_version_stay_and_are_mentioned(self, tmp_path: Path) -> None:
        path = tmp_path / "older.db"
        path.write_bytes(gzip.decompress(OLDER.read_bytes()))
        with Catalog(path) as older:
            report = older.check()
            names = [title.name for title in older.titles("show") if title.year == 1963]

        assert names == ["Doctor Who", "Doctor who"]
        assert report.is_sound
        assert [(each.rule, each.subject) for each in report.mentions] == [("alike_names", "title")]
        assert "`title merge`" in report.mentions[0].detail

    def test_a_pair_stays_two_also_where_one_of_them_is_renamed(self, tmp_path: Path) -> None:
        path = tmp_path / "older.db"
        path.write_bytes(gzip.decompress(OLDER.read_bytes()))
        importer = FakeImporter()
        with Catalog(path, importers={"fake": importer}) as older:
            older.rename_title("Doctor Who (1963)", name="The Doctor")
            ids = decisions.decisions(older.database, older.collection("Shows").id)

        assert ids.settle("x", episode("Doctor Who", 1, 9, year=1963)).title == "The Doctor"
        assert ids.settle("x", episode("Doctor who", 1, 9, year=1963)).title == "Doctor who"


class TestTitlesNamedAsTheyArePrinted:
    @pytest.fixture
    def two(self, catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
        importer.drafts = [episode("Doctor Who", 1, 1, year=1963), draft("new.mkv", kind="other")]
        importer.drafts += [mounted_elsewhere(episode("Doctor Who", 1, 2, year=2005)), movie("Fargo", 1996)]
        catalog.ingest_collection(collection.name)
        return catalog

    @pytest.mark.parametrize("name", ["Doctor Who (2005)", "doctor who (2005)"])
    def test_a_name_with_its_year_means_one_title(self, two: Catalog, name: str) -> None:
        (asset,) = two.select(AssetSelector(title=name))

        assert asset.year == 2005
        (by_id,) = two.select(AssetSelector(title=next(each.id for each in two.titles() if each.year == 2005)))
        assert by_id == asset

    @pytest.mark.parametrize("season", [None, 1])
    def test_an_ambiguous_name_is_refused_with_both(self, two: Catalog, season: int | None) -> None:
        with pytest.raises(ValidationError, match=r"ambiguous.*Doctor Who \(1963\).*Doctor Who \(2005\)"):
            two.select(AssetSelector(title="Doctor Who", season=season))
        with pytest.raises(CurationError, match=r"ambiguous.*Doctor Who \(1963\).*Doctor Who \(2005\)"):
            two.assign(
                [each.id for each in two.assets(kind="other")], kind="episode", title="Doctor Who", season_number=1,
                episode_numbers=[3],
            )  # fmt: skip

    def test_a_name_that_names_nothing_is_refused(self, two: Catalog) -> None:
        with pytest.raises(ValidationError, match="there is no title 'Doctor Why'"):
            two.select(AssetSelector(title="Doctor Why"))
        assert two.select(AssetSelector(title="Fargo", approved=True)) == []

    def test_what_is_assigned_to_a_printed_name_belongs_to_that_title(self, two: Catalog) -> None:
        new = [each.id for each in two.assets(kind="other")]
        two.assign(new, kind="episode", title="Doctor Who (2005)", season_number=1, episode_numbers=[3])

        assert {(title.name, title.year, title.episodes) for title in two.titles("show")} == {
            ("Doctor Who", 1963, 1),
            ("Doctor Who", 2005, 2),
        }

    def test_a_new_title_may_be_named_as_it_will_be_printed(self, two: Catalog) -> None:
        new = [each.id for each in two.assets(kind="other")]
        two.assign(new, kind="episode", title="Space: 1999 (1975)", season_number=1, episode_numbers=[1])

        assert ("Space: 1999", 1975) in {(title.name, title.year) for title in two.titles("show")}

    @pytest.mark.parametrize(("name", "found"), [("Doctor Who (1963)", 1), ("Doctor Who", 2), ("doctor who (2005)", 1)])
    def test_an_ingest_is_narrowed_to_a_printed_name(self, two: Catalog, collection: Collection, name: str, found: int) -> None:
        assert two.ingest_collection(collection.name, IngestFilters(title=name)).unchanged == found


class TestTitlesOfOneName:
    @pytest.fixture
    def alike(self, catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
        importer.drafts = [episode("Fargo", 1, 1, year=2014), movie("Fargo", 1996), movie("M", 950), movie(COMPOSED)]
        catalog.ingest_collection(collection.name)
        with catalog.session() as db:  # as earlier versions let them in
            db.execute(
                "INSERT INTO title SELECT replace(id, '-7', '-8'), kind, 'FARGO', 2014, created_at FROM title WHERE year = 2014"
            )
            db.execute("UPDATE season SET title_id = (SELECT id FROM title WHERE name = 'FARGO')")
            db.execute("DELETE FROM title WHERE name = 'Fargo' AND kind = 'show'")
        return catalog

    @pytest.mark.parametrize(
        ("asked", "years"),
        [
            ({"title": "Fargo"}, [1996]),
            ({"title": "FARGO"}, [2014]),
            ({"title": "Fargo", "season": 1}, [2014]),
            ({"title": "FARGO", "kind": "movie"}, [1996]),
            ({"title": "fargo (1996)"}, [1996]),
            ({"title": "fargo (1996)", "season": 1}, []),
            ({"title": "M (950)"}, [950]),
            ({"title": DECOMPOSED.upper()}, [None]),
        ],
    )
    def test_the_letter_decides_and_the_kind_that_is_asked_for(
        self, alike: Catalog, asked: dict[str, Any], years: list[int | None]
    ) -> None:
        assert [asset.year for asset in alike.select(AssetSelector(**asked))] == years

    def test_what_neither_decides_is_ambiguous(self, alike: Catalog) -> None:
        with pytest.raises(ValidationError, match=r"ambiguous.*FARGO \(2014\).*Fargo \(1996\)"):
            alike.select(AssetSelector(title="fargo"))

    @pytest.mark.parametrize(("name", "year"), [(COMPOSED.upper(), 0), (DECOMPOSED, 0), ("m", 950)])
    def test_a_rename_to_a_name_that_is_taken_in_other_letters_is_refused(self, alike: Catalog, name: str, year: int) -> None:
        before = snapshot(alike)

        with pytest.raises(CurationError, match="merge the two"):
            alike.rename_title("Fargo (1996)", name=name, year=year)
        assert snapshot(alike) == before


def mounted_elsewhere(found: AssetDraft) -> AssetDraft:
    """The draft with a path of its own."""
    path = found.source_path.replace("/media/", "/media/again/")
    return attrs.evolve(found, source_path=path, file_path=path)
