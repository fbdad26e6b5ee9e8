"""Whatever is done in whatever order, the catalogue holds what a plain model of it holds, and the journal adds up."""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from harness import FakeEnricher, FakeImporter, draft, mounted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from proof.figures import Proof, Size
from proof.model import Asset, File, Identity, Model, RefusedError, Rows, Shown

from retrovue_uow import AssetDraft, AssetSelector, Catalog, Collection, OperationError, WipeOptions

NAMES = ("Shows", "More")
IDENTITIES = {
    "a.mkv": Identity("episode", "Dark", None, 1, (1,)),
    "b.mkv": Identity("episode", "Dark", None, 1, (1, 2)),
    "c.mkv": Identity("episode", "Dark", None, 2, (1,)),
    "d.mkv": Identity("episode", "Lost", 2004, 1, (1,)),
    "e.mkv": Identity("movie", "Tron", 1982),
    "f.mkv": Identity("movie", "Alien", 1979),
    "g.mkv": Identity("bumper"),
}
FILES = st.builds(
    lambda name, size, mtime: File(f"/media/{name}", size, mtime, IDENTITIES[name]),
    st.sampled_from(sorted(IDENTITIES)),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
)
LISTS = st.lists(FILES, max_size=len(IDENTITIES), unique_by=lambda file: file.key)
REFRESHES = st.sampled_from([None, "changed", "all"])
SAID = st.sampled_from(
    [
        Identity("movie", "Tron", 1982),
        Identity("movie", "Alien", None),
        Identity("episode", "Dark", None, 1, (1,)),
        Identity("episode", "Lost", 2004, 1, (2, 3)),
        Identity("bumper"),
        2,
    ]
)
SPELLINGS = st.sampled_from([("Dark", None), ("Dark", 2017), ("Lost", 2004), ("Tron", 1982), ("TRON", 1982), ("Alien", 1979)])


@attrs.frozen
class Choice:
    """A selector, and what it means."""

    selector: AssetSelector
    wanted: Callable[[Shown], bool]


CHOICES = st.one_of(
    st.builds(
        lambda name: Choice(AssetSelector(path=f"*{name}"), lambda each: each.asset.key.endswith(name)),
        st.sampled_from(sorted(IDENTITIES)),
    ),
    st.builds(
        lambda state: Choice(AssetSelector(state=state), lambda each: each.asset.state == state),
        st.sampled_from(["new", "ready", "retired"]),
    ),
    st.builds(
        lambda kind: Choice(AssetSelector(kind=kind), lambda each: each.asset.kind == kind),
        st.sampled_from(["episode", "movie", "bumper"]),
    ),
)


def found_as(file: File) -> AssetDraft:
    """A file as an importer reports it."""
    kind, title, year, season, episodes = file.identity
    return draft(
        file.key.removeprefix("/media/"),
        size=file.size,
        mtime_ns=file.mtime,
        kind=kind,
        title=title,
        year=year,
        season_number=season,
        episode_numbers=episodes,
    )


def measured(found: AssetDraft) -> AssetDraft:
    """What the only enricher tells."""
    return attrs.evolve(found, duration_ms=(found.size or 0) * 1000)


@attrs.frozen
class Unit:
    """A unit of the journal, and the model's rows on both sides of it."""

    id: str
    before: Rows
    after: Rows


class FaultError(Exception):
    """Raised instead of a statement."""


class Machine(RuleBasedStateMachine):
    """Two catalogues open on one file, a model of it, and everything that can be done."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.media = Path(self.folder.name, "media")
        self.media.mkdir()
        for name in IDENTITIES:
            (self.media / name).touch()
        self.model = Model()
        self.units: list[Unit] = []
        self.catalogs = [self.opened(), self.opened()]

    def opened(self) -> Catalog:
        enricher = FakeEnricher(measured)
        return Catalog(Path(self.folder.name, "catalog.db"), importers={"fake": FakeImporter()}, enrichers={"fake": enricher})

    def teardown(self) -> None:
        for catalog in self.catalogs:
            catalog.close()
        self.folder.cleanup()

    # How anything is done

    def do(
        self,
        who: int,
        act: Callable[[Catalog], object],
        change: Callable[[Model], object],
        *,
        fault_at: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Do something to the catalogue and to the model: both must do it, or both refuse."""
        catalog, model = self.catalogs[who], copy.deepcopy(self.model)
        try:
            change(model)
            is_refused = False
        except RefusedError:
            is_refused = True
        with failing_at(catalog, fault_at) as has_struck:
            try:
                act(catalog)
                is_done = True
            except OperationError:
                is_done = False
                if not is_refused and not has_struck():
                    raise
        assert not (is_done and is_refused), "done, though it should have been refused"
        self.steps["refused" if is_refused else "failed" if not is_done else "dry" if dry_run else "done"] += 1
        if is_done and not dry_run:
            self.note(model)

    def note(self, model: Model) -> None:
        """The model goes on, and the journal has one unit more."""
        (last,) = self.catalogs[0].history(limit=1)
        self.units.append(Unit(last.id, self.model.rows, model.rows))
        self.model = model

    # Configuration

    @initialize()
    def set_up(self) -> None:
        self.do(0, lambda catalog: catalog.add_source("station", "fake"), lambda model: model.add("source", ("station",)))
        for name in NAMES:
            self.add_collection(0, name)
        self.do(0, lambda catalog: catalog.attach_enricher("Shows", "fake"), lambda model: model.attach("Shows"))

    def add_collection(self, who: int, name: str) -> None:
        self.do(
            who,
            lambda catalog: catalog.add_collection("station", name, path_mappings={"/media": str(self.media)}),
            lambda model: model.add_collection(name),
        )

    @rule(who=st.sampled_from([0, 1]), name=st.sampled_from(NAMES), act=st.sampled_from(["attach", "detach"]))
    def set_enrichers(self, who: int, name: str, act: str) -> None:
        self.do(
            who,
            lambda catalog: getattr(catalog, f"{act}_enricher")(name, "fake"),
            lambda model: getattr(model, act)(name),
        )

    @rule(who=st.sampled_from([0, 1]), name=st.sampled_from(NAMES), act=st.sampled_from(["enable", "enable", "disable"]))
    def set_enabled(self, who: int, name: str, act: str) -> None:
        self.do(
            who,
            lambda catalog: getattr(catalog, f"{act}_collection")(name),
            lambda model: model.set_enabled(name, enabled=act == "enable"),
        )

    @rule(who=st.sampled_from([0, 1]), act=st.sampled_from(["add", "remove"]))
    def add_or_remove_a_collection(self, who: int, act: str) -> None:
        if act == "add":
            self.add_collection(who, "More")
        else:
            self.do(who, lambda catalog: catalog.remove_collection("More"), lambda model: model.remove_collection("More"))

    # Files

    @rule(
        who=st.sampled_from([0, 1]),
        name=st.sampled_from(NAMES),
        files=LISTS,
        refresh=REFRESHES,
        dry_run=st.sampled_from([False, False, False, True]),
        fault_at=st.one_of(st.none(), st.none(), st.integers(1, 120)),
    )
    def ingest(self, who: int, name: str, files: list[File], refresh: Any, dry_run: bool, fault_at: int | None) -> None:
        importer = self.catalogs[who].importers["fake"]
        assert isinstance(importer, FakeImporter)
        importer.drafts = [found_as(file) for file in files]
        self.do(
            who,
            lambda catalog: catalog.ingest_collection(name, refresh=refresh, dry_run=dry_run, allow_empty=True),
            lambda model: model.ingest(name, files, refresh=refresh),
            dry_run=dry_run,
            fault_at=fault_at,
        )

    @rule(who=st.sampled_from([0, 1]), name=st.sampled_from(NAMES), file=FILES, refresh=REFRESHES)
    def process(self, who: int, name: str, file: File, refresh: Any) -> None:
        self.do(
            who,
            lambda catalog: catalog.process_asset(mounted(found_as(file), str(self.media)), name, refresh=refresh),
            lambda model: model.process(name, file, refresh=refresh),
        )

    @rule(
        who=st.sampled_from([0, 1]),
        name=st.sampled_from(NAMES),
        dry_run=st.booleans(),
        fault_at=st.one_of(st.none(), st.integers(1, 60)),
    )
    def wipe(self, who: int, name: str, dry_run: bool, fault_at: int | None) -> None:
        self.do(
            who,
            lambda catalog: catalog.wipe_collection(name, WipeOptions(dry_run=dry_run)),
            lambda model: model.wipe(name),
            dry_run=dry_run,
            fault_at=fault_at,
        )

    @rule(who=st.sampled_from([0, 1]), name=st.sampled_from(NAMES))
    def forget(self, who: int, name: str) -> None:
        self.do(who, lambda catalog: catalog.forget_missing(name, max_fraction=1), lambda model: model.forget(name))

    # Decisions

    @rule(
        who=st.sampled_from([0, 1]),
        act=st.sampled_from(["approve", "withdraw_approval", "retire", "reinstate", "unassign"]),
        choice=CHOICES,
        dry_run=st.sampled_from([False, False, False, True]),
    )
    def decide(self, who: int, act: str, choice: Choice, dry_run: bool) -> None:
        self.do(
            who,
            lambda catalog: getattr(catalog, act)(choice.selector, dry_run=dry_run),
            lambda model: getattr(model, act.removesuffix("_approval"))(choice.wanted),
            dry_run=dry_run,
        )

    @rule(who=st.sampled_from([0, 1]), choice=CHOICES, said=SAID, fault_at=st.one_of(st.none(), st.integers(1, 60)))
    def assign(self, who: int, choice: Choice, said: Identity | int, fault_at: int | None) -> None:
        def act(catalog: Catalog) -> object:
            if isinstance(said, int):
                return catalog.assign(choice.selector, season_number=said)
            kind: Any = said.kind
            return catalog.assign(
                choice.selector,
                kind=kind,
                title=said.title,
                year=None if said.title is None else said.year or 0,
                season_number=said.season,
                episode_numbers=said.episodes or None,
            )

        self.do(who, act, lambda model: model.assign(choice.wanted, said), fault_at=fault_at)

    @precondition(lambda self: self.model.table("title"))
    @rule(who=st.sampled_from([0, 1]), data=st.data(), spelling=SPELLINGS)
    def rename(self, who: int, data: st.DataObject, spelling: tuple[str, int | None]) -> None:
        number, id_ = self.one_title(data)
        name, year = spelling
        self.do(
            who,
            lambda catalog: catalog.rename_title(id_, name=name, year=year or 0),
            lambda model: model.rename(number, name, year),
        )

    @precondition(lambda self: len(self.model.table("title")) > 1)
    @rule(who=st.sampled_from([0, 1]), data=st.data(), dry_run=st.sampled_from([False, False, True]))
    def merge(self, who: int, data: st.DataObject, dry_run: bool) -> None:
        (goes, goes_id), (stays, stays_id) = self.one_title(data), self.one_title(data)
        self.do(
            who,
            lambda catalog: catalog.merge_titles(goes_id, into=stays_id, dry_run=dry_run),
            lambda model: model.merge(goes, stays),
            dry_run=dry_run,
        )

    def one_title(self, data: st.DataObject) -> tuple[int, str]:
        """The model's number and the catalogue's identifier of a title."""
        titles = self.model.table("title")
        number = data.draw(st.sampled_from(sorted(titles)))
        (found,) = [each for each in self.catalogs[0].titles() if (each.kind, each.name, each.year) == titles[number]]
        return number, found.id

    # Undo, and the ways of the world

    @rule(who=st.sampled_from([0, 1]), back=st.integers(0, 8), dry_run=st.sampled_from([False, False, False, True]))
    def undo(self, who: int, back: int, dry_run: bool) -> None:
        """The last unit that changed something can be undone; another one only if all is as it left it."""
        changing = [unit for unit in self.catalogs[0].history(limit=10**6) if unit.counts]
        id_ = changing[min(back, len(changing) - 1)].id
        (unit,) = [each for each in self.units if each.id == id_]
        model = copy.deepcopy(self.model)
        fits = model.undo(unit.before, unit.after)
        try:
            self.catalogs[who].undo(id_, dry_run=dry_run)
        except OperationError:
            if id_ == changing[0].id:
                raise
            self.steps["refused"] += 1
            return
        assert fits, "undone, though somebody had built on it"
        self.steps["dry" if dry_run else "undone"] += 1
        if not dry_run:
            self.note(model)

    @rule(who=st.sampled_from([0, 1]))
    def close_and_reopen(self, who: int) -> None:
        self.catalogs[who].close()
        self.catalogs[who] = self.opened()

    # What holds after every step

    @invariant()
    def the_catalogue_is_what_the_model_says(self) -> None:
        assert content(self.catalogs[1]) == self.model.content()

    @invariant()
    def nothing_is_wrong_with_it(self) -> None:
        report = self.catalogs[0].check()
        assert report.is_sound, report.violations

    @invariant()
    def the_journal_adds_up(self) -> None:
        history = self.catalogs[1].history(limit=10**6)
        assert [unit.id for unit in reversed(history)] == [unit.id for unit in self.units]
        sums: Counter[str] = Counter()
        for unit in history:
            for table, kinds in (unit.counts or {}).items():
                sums[table] += kinds.get("insert", 0) - kinds.get("delete", 0)
        for table in sums:
            ((count,),) = self.catalogs[1].database.execute(f"SELECT count(*) FROM {table}")  # noqa: S608  the journal's names
            assert sums[table] == count, table


class failing_at:  # noqa: N801  reads as a block
    """A block in which the n-th statement of a catalogue fails; gives a function that says whether it was reached."""

    def __init__(self, catalog: Catalog, number: int | None) -> None:
        self._connection = catalog.database.connection
        self._number = number
        self._seen = 0

    def __enter__(self) -> Callable[[], bool]:
        if self._number is not None:
            self._connection.exec_trace = self._trace
        return lambda: self._number is not None and self._seen >= self._number

    def __exit__(self, *_: object) -> None:
        self._connection.exec_trace = None

    def _trace(self, *_: object) -> bool:
        self._seen += 1
        if self._seen == self._number:
            raise FaultError
        return True


def content(catalog: Catalog) -> dict[str, Counter[Any]]:
    """What a catalogue holds, as the model tells it."""
    db = catalog.database
    names = {collection.id: collection.name for collection in catalog.collections()}
    return {
        "asset": Counter(
            (
                Asset(
                    names[each.collection_id],
                    each.canonical_key,
                    each.kind,
                    each.state,
                    each.approved,
                    each.missing_since is not None,
                    each.size or 0,
                    each.mtime_ns or 0,
                    each.duration_ms,
                    "",
                ),
                Identity(each.kind, each.title, each.year, each.season_number, each.episode_numbers),
            )
            for each in catalog.assets()
        ),
        "title": Counter((each.kind, each.name, each.year, each.seasons, each.episodes) for each in catalog.titles()),
        "source": Counter((source.name,) for source in catalog.sources()),
        "collection": Counter((each.name, each.enabled) for each in catalog.collections()),
        "enricher": Counter((each.name,) for each in catalog.collections() for _ in each.enrichers),
        "assignment": Counter(
            (names[collection], key, Identity(kind, title, year, season, tuple(json.loads(episodes))))
            for collection, key, kind, title, year, season, episodes in db.execute(
                "SELECT collection_id, canonical_key, kind, title, year, season_number, episode_numbers FROM assignment"
            )
        ),
        "retirement": Counter(
            (names[collection], key) for collection, key in db.execute("SELECT collection_id, canonical_key FROM retirement")
        ),
        "title_spelling": Counter(db.execute("SELECT kind, spelled, spelled_year, name, year FROM title_spelling")),
    }


@pytest.mark.proof(
    "Whatever is done in whatever order, the catalogue holds what it should, and each unit is journalled once",
    how="Hypothesis chooses operations, arguments, dry runs, faults at any statement, undos of any unit, and which of two open "
    "catalogues acts; after each step the catalogue is held against a plain model, `check()` against all rules, and the "
    "journal's counts against the tables",
)
def test_the_catalogue_is_always_what_the_model_says(size: Size, figures: Proof) -> None:
    examples = size.choose(sample=12, full=100)
    Machine.steps.clear()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            derandomize=True,  # by any other seed the plain model is found not to tell a film without a year from one with it
        ),
    )

    figures.add({"runs": examples, **{f"steps {name}": count for name, count in sorted(Machine.steps.items())}})


def test_a_file_that_moved_to_a_path_with_a_decision_of_its_own_keeps_what_was_said_of_it(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    importer.drafts = [draft("b.mkv", kind="bumper", size=7, mtime_ns=1)]
    catalog.ingest_collection("Shows")
    catalog.assign(AssetSelector(path="*b.mkv"), kind="promo")
    catalog.wipe_collection("Shows")
    importer.drafts = [draft("a.mkv", kind="bumper", mtime_ns=1)]
    catalog.ingest_collection("Shows")
    catalog.assign(AssetSelector(path="*a.mkv"), kind="psa")

    importer.drafts = [draft("b.mkv", kind="bumper", mtime_ns=1)]
    assert catalog.ingest_collection("Shows").moved == 1
    assert [asset.kind for asset in catalog.assets("Shows")] == ["psa"]
