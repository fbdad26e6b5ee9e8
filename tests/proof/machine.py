"""Everything that can be done to a catalogue, as a state machine that does it to a model, too."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, ClassVar

import attrs
import pytest
from extending import PLAYLOG
from harness import operations_of_catalog
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from proof import model as plain_model
from proof.model import (
    BROKEN,
    LISTED,
    OF_ASSETS,
    SOURCE,
    WARNED_OF,
    Asset,
    File,
    Identity,
    Model,
    OfTitle,
    Options,
    RefusedError,
    Rows,
    Told,
    Wanted,
    root_of,
)

from retrovue_uow import (
    AssetDraft,
    AssetSelector,
    Catalog,
    FoundCollection,
    IngestFilters,
    Marker,
    OperationError,
    Title,
    ValidationError,
    WipeError,
    WipeOptions,
)
from retrovue_uow.results import WithdrawingResult
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.testing import FakeEnricher, FakeImporter
from retrovue_uow.testing.faults import Fault, Injection, tracing

NAMES = ("Shows", "More", "Found")
"""The collections: with an enricher, without, and one that is there once it was discovered."""
ROOTS = ("/media", "/more")
PLACES = ("", ".moved")
"""Where a root lies on the disk: beside itself, once it was relocated."""
IN_MEMORY = "/dev/shm"  # where no sync takes time: a power cut is proven elsewhere
IDENTITIES = {
    "a.mkv": Identity("episode", "Dark", None, 1, (1,)),
    "b 2.mkv": Identity("episode", "Dark", None, 1, (1, 2)),
    "c 1+3.mkv": Identity("episode", "Dark", None, 2, (1,)),
    "d.mkv": Identity("episode", "Lost", 2004, 1, (1,)),
    "e.mkv": Identity("movie", "Tron", 1982),
    "f.mkv": Identity("movie", "Alien", 1979),
    "g.mkv": Identity("bumper"),
    "h.mkv": Identity("other"),
}
SAID = (
    Identity("movie", "Tron", 1982),
    Identity("movie", "Alien", None),
    Identity("movie", "Alien", 0),
    Identity("episode", "Dark", None, 1, (1,)),
    Identity("movie", "Dark", 0),
    Identity("episode", "Lost", 2004, 1, (2, 3)),
    Identity("bumper"),
    2,
)
READINGS: dict[str, tuple[dict[str, Any], Callable[[str], Identity | None]]] = {
    "{title}": ({"kind": "movie", "year": 1982}, lambda name: Identity("movie", name, 1982)),
    "{title} {episode}": (
        {"kind": "episode", "season": 1},
        lambda name: Identity("episode", name[0], None, 1, tuple(map(int, name[2:].split("+")))) if name[1:] else None,
    ),
    "{*}": ({"kind": "bumper"}, lambda _: Identity("bumper")),
    "{*} 2": (
        {"kind": "movie", "title": "alien"},
        lambda name: Identity("movie", "alien") if name.endswith(" 2") else None,
    ),
}
"""By pattern: what is said beside it, and what it reads in a name."""
SPELLINGS = (("Dark", None), ("Dark", 2017), ("Lost", 2004), ("Tron", 1982), ("TRON", 1982), ("Alien", 1979))


@attrs.frozen(repr=False)
class Choice:
    """A selector, and what it means."""

    selector: AssetSelector
    wanted: Wanted

    def __repr__(self) -> str:
        return f"Choice({_given(self.selector)})"

    def _repr_pretty_(self, printer: Any, _: object) -> None:
        """Hypothesis shows the steps of a failing run so: https://ipython.readthedocs.io/en/stable/api/generated/IPython.lib.pretty.html"""
        printer.text(repr(self))


def _given(selector: AssetSelector) -> str:
    said = attrs.asdict(selector, filter=lambda _, value: value is not None)
    return ", ".join(f"{name}={value!r}" for name, value in said.items())


EVERYTHING = Choice(AssetSelector(), lambda each: True)
READY = Choice(AssetSelector(state="ready"), lambda each: each.asset.state == "ready")
NUMBERED = Choice(AssetSelector(path="* *.mkv"), lambda each: " " in each.asset.key)
RETIRED = Choice(AssetSelector(state="retired"), lambda each: each.asset.state == "retired")
BROKEN_ONES = Choice(AssetSelector(broken=True), lambda each: each.is_broken)
SOUND_ONES = Choice(AssetSelector(broken=False), lambda each: not each.is_broken)


def of_name(name: str) -> Choice:
    return Choice(AssetSelector(path=f"*{name}"), lambda each: each.asset.key.endswith(name))


def of_kind(kind: Any) -> Choice:
    return Choice(AssetSelector(kind=kind), lambda each: each.asset.kind == kind)


def of_title(title: str) -> Choice:
    return Choice(AssetSelector(title=title), OfTitle(title))


def one_file(collection: str, key: str) -> Choice:
    return Choice(AssetSelector(collection=collection, path=key), lambda each: each.asset[:2] == (collection, key))


def of_flags(missing: bool | None, approved: bool | None) -> Choice:
    return Choice(
        AssetSelector(missing=missing, approved=approved),
        lambda each: missing in (None, each.asset.missing) and approved in (None, each.asset.approved),
    )


WHO = st.sampled_from([0, 1])
NAME = st.sampled_from(["Shows", "Shows", "Shows", "Shows", "More", "More", "Found"])
FAULT = st.one_of(st.none(), st.none(), st.none(), st.none(), st.integers(1, 60))
DRY = st.sampled_from([False, False, False, True])
REFRESH = st.sampled_from([None, "files", "changed", "all"])
BROKEN_FILES = st.sampled_from(["record", "record", "refuse"])
FILE = st.builds(
    lambda root, name, size, mtime: File(f"{root}/{name}", size, mtime, IDENTITIES[name]),
    st.sampled_from([ROOTS[0], ROOTS[0], ROOTS[0], ROOTS[1]]),
    st.sampled_from([*sorted(IDENTITIES), "h.mkv"]),
    st.integers(1, 6),
    st.sampled_from([1, 2]),
)
FILES = st.lists(FILE, min_size=3, max_size=6, unique_by=lambda file: file.key)
OPTIONS = st.builds(
    Options,
    refresh=REFRESH,
    title=st.sampled_from([None, None, None, None, "Dark", "LOST", "tron", "Nothing"]),
    exclude=st.sampled_from([None, None, None, "a.mkv", "e.mkv"]),
    under=st.sampled_from([None, None, None, *ROOTS]),
    allow_empty=st.booleans(),
    strict_names=st.sampled_from([False, False, True]),
    broken=BROKEN_FILES,
)
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["come", "go", "go_all", "move", "move", "chain", "change", "double"]), st.integers(0, 7), FILE),
    max_size=3,
)
CHOICE = st.one_of(
    st.sampled_from([EVERYTHING, READY, RETIRED, BROKEN_ONES, SOUND_ONES]),
    st.builds(of_name, st.sampled_from(sorted(IDENTITIES))),
    st.builds(of_kind, st.sampled_from(["episode", "movie", "bumper", "other"])),
    st.builds(of_title, st.sampled_from(["Dark", "lost"])),
    st.builds(of_flags, st.sampled_from([None, True, False]), st.sampled_from([None, True, False])),
)


def either(choice: Choice) -> st.SearchStrategy[Choice]:
    """In half of all cases what makes sense."""
    return st.builds(lambda is_sensible, other: choice if is_sensible else other, st.booleans(), CHOICE)


LOOKS = st.lists(st.sampled_from(["there", "there", "there", "touched", "other", "gone"]), min_size=8, max_size=8)
DECISION = st.sampled_from(["approve", "withdraw_approval", "retire", "reinstate", "unassign", "prefer", "unprefer"])
CONFIGURING = st.sampled_from(
    [
        *("attach", "attach", "detach", "enable", "enable", "disable", "add", "remove", "remove"),
        *("map", "unmap", "unmap_first", "exclude", "unexclude", "keep", "keep", "ask"),
    ]
)
EXPECTED = st.sampled_from([None, None, None, None, 1, 2])


@attrs.frozen
class Step:
    """Something to do, and what it does to the model."""

    told: str
    act: Callable[[Catalog], object] = attrs.field(repr=False)
    change: Callable[[Model], object] = attrs.field(repr=False)


def decision(name: str, choice: Choice, expected: int | None = None, *, dry_run: bool = False) -> Step:
    return Step(
        f"{name} {choice}",
        lambda catalog: getattr(catalog, name)(choice.selector, expect_assets=expected, dry_run=dry_run),
        lambda model: getattr(model, name.removesuffix("_approval"))(choice.wanted, expected),
    )


def wipe(name: str, expected: int | None = None, *, dry_run: bool = False) -> Step:
    options = WipeOptions(dry_run=dry_run, expect_assets=expected)
    return Step(
        f"wipe {name}", lambda catalog: catalog.wipe_collection(name, options), lambda model: model.wipe(name, expected)
    )


def forget(name: str, fraction: float, *, dry_run: bool = False) -> Step:
    return Step(
        f"forget {name}",
        lambda catalog: catalog.forget_missing(name, max_fraction=fraction, dry_run=dry_run),
        lambda model: model.forget(name, fraction),
    )


def assigning(choice: Choice, said: Identity | int, expected: int | None = None, *, dry_run: bool = False) -> Step:
    def act(catalog: Catalog) -> object:
        if isinstance(said, int):
            return catalog.assign(choice.selector, season_number=said, expect_assets=expected, dry_run=dry_run)
        kind: Any = said.kind
        return catalog.assign(
            choice.selector,
            kind=kind,
            title=said.title,
            year=said.year,
            season_number=said.season,
            episode_numbers=said.episodes or None,
            expect_assets=expected,
            dry_run=dry_run,
        )

    return Step("assign", act, lambda model: model.assign(choice.wanted, expected, said))


def assigning_by_name(choice: Choice, pattern: str, expected: int | None = None, *, dry_run: bool = False) -> Step:
    said, read = READINGS[pattern]
    return Step(
        "assign by name",
        lambda catalog: catalog.assign_by_name(choice.selector, pattern, **said, expect_assets=expected, dry_run=dry_run),
        lambda model: model.assign_by_name(choice.wanted, expected, read),
    )


STEPS = st.lists(
    st.one_of(
        st.builds(decision, DECISION, CHOICE),
        st.builds(wipe, NAME),
        st.builds(forget, NAME, st.just(1.0)),
    ),
    min_size=2,
    max_size=3,
)


def measured(found: AssetDraft) -> AssetDraft:
    """What the only enricher tells; what it finds out about a file ends in its size."""
    if found.size == BROKEN:
        raise ValidationError(f"its end is torn off, of {BROKEN}")
    duration_ms = (found.size or 0) * 1000
    warnings = (f"{found.source_path} is of {WARNED_OF}",) if found.size == WARNED_OF else ()
    metadata = {**found.metadata, "probed": {"size": duration_ms}}
    markers = (Marker("intro", duration_ms - 1),)
    return attrs.evolve(found, duration_ms=duration_ms, markers=markers, metadata=metadata, warnings=warnings)


@attrs.frozen
class Unit:
    """A unit of the journal, and the model's rows on both sides of it."""

    id: str
    before: Rows
    after: Rows


class FaultError(Exception):
    """Raised instead of a statement."""


class ChangedMindError(Exception):
    """Raised at the end of a session."""


@attrs.define
class Noting:
    """A catalogue that notes which operations it is asked for."""

    catalog: Catalog
    asked: list[str] = attrs.field(factory=list)

    def __getattr__(self, name: str) -> Any:
        if name in operations_of_catalog():
            self.asked.append(name)
        return getattr(self.catalog, name)


class Machine(RuleBasedStateMachine):
    """Two catalogues open on one file, a model of it, a source with files that come and go, and everything that can be done.

    Attributes:
        reached: Operation and what came of it, how often.
        became: What ingests made of files, how often.
        lines: Of the model, those that ran.
    """

    reached: ClassVar[Counter[tuple[str, str]]] = Counter()
    became: ClassVar[Counter[str]] = Counter()
    lines: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY if os.path.isdir(IN_MEMORY) else None)
        for folder in [self.local(root) + place for root in ROOTS for place in PLACES]:
            Path(folder).mkdir()
            for name in IDENTITIES:
                Path(folder, name).touch()
        self.model = Model()
        self.units: list[Unit] = []
        self.steps = 0
        self.there: dict[str, dict[str, File]] = {name: {} for name in NAMES}
        self.catalogs = [self.opened(), self.opened()]

    def opened(self) -> Catalog:
        importer = FakeImporter(found=[FoundCollection("Found", None, {ROOTS[0]: self.local(ROOTS[0])})])
        types: Any = {"importers": {"fake": importer}, "enrichers": {"fake": FakeEnricher(returns=measured)}}
        return Catalog(Path(self.folder.name, "catalog.db"), extensions=[PLAYLOG], **types)

    def local(self, path: str) -> str:
        """Where a path of the source lies."""
        return self.folder.name + path

    def teardown(self) -> None:
        for catalog in self.catalogs:
            catalog.close()
        self.folder.cleanup()

    # How anything is done

    def do(self, who: int, step: Step, *, fault_at: int | None = None, dry_run: bool = False) -> None:
        """Do something to the catalogue and to the model: both must do it and tell the same, or both refuse."""
        model = self.model.copied()
        try:
            with self.watched():
                told = step.change(model)
                model.judge()
            is_refused = False
        except RefusedError:
            told, is_refused = None, True
        result, outcome = self.attempt(who, step.act, fault_at=fault_at, dry_run=dry_run)
        assert outcome != "refused" or is_refused, f"refused, though it should have been done: {self.last_error}"
        assert outcome in ("refused", "failed") or not is_refused, "done, though it should have been refused"
        if outcome in ("done", "dry"):
            assert_tells(result, told)
            assert_withdrew(result, self.model, model)
        if outcome == "done":
            self.note([model])
            if isinstance(told, dict) and "discovered" in told:
                self.became.update({what: told[what] for what in LISTED})

    def attempt(
        self, who: int, act: Callable[[Catalog], object], *, fault_at: int | None = None, dry_run: bool = False
    ) -> tuple[object, str]:
        """What an act returned, and what came of it: `done`, `dry`, `refused` or, by a fault, `failed`."""
        catalog, result = Noting(self.catalogs[who]), None
        injection = Injection(None if fault_at is None else Fault("statement", fault_at, "", ""))

        def fail(_: Injection) -> None:
            raise FaultError

        with tracing(catalog.catalog.database.connection, injection, fail):
            try:
                result = act(catalog)  # type: ignore[arg-type]  # it does what a catalogue does
                outcome = "dry" if dry_run else "done"
            except (OperationError, FaultError) as error:
                self.last_error = error
                if isinstance(error, FaultError) and not injection.has_struck:
                    raise
                outcome = "failed" if injection.has_struck else "refused"
        self.reached.update({(name, outcome) for name in catalog.asked})
        return result, outcome

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note which lines of the model run."""

        def line(frame: FrameType, event: str, _: object) -> Any:
            if event == "line":
                self.lines.add(frame.f_lineno)
            return line

        def call(frame: FrameType, _: str, __: object) -> Any:
            return line if frame.f_code.co_filename == plain_model.__file__ else None

        before = sys.gettrace()
        sys.settrace(call)
        try:
            yield
        finally:
            sys.settrace(before)

    def note(self, models: list[Model]) -> None:
        """The model goes on, and the journal has one unit more for each."""
        newest = self.catalogs[0].history(limit=len(models))
        for unit, model in zip(reversed(newest), models, strict=True):
            self.units.append(Unit(unit.id, self.model.rows, model.rows))
            self.model = model

    # Configuration

    @initialize(
        shows=FILES,
        more=FILES,
        choice=CHOICE,
        said=st.sampled_from(SAID),
        options=OPTIONS,
        comes_back=st.sampled_from([None, None, 7]),
    )
    def set_up(
        self,
        shows: list[File],
        more: list[File],
        choice: Choice,
        said: Identity | int,
        options: Options,
        comes_back: int | None,
    ) -> None:
        """A station that is at work: files were ingested, approved and retired, went, moved and came back."""
        self.do(0, self.configuration(SOURCE, "add_source"))
        for name, files in (("Shows", shows), ("More", more)):
            self.there[name] = {file.key: file for file in files}
            self.do(0, self.configuration(name, "add"))
        for what in ("map", "attach"):
            self.do(1, self.configuration("Shows", what))
        for name in ("Shows", "More"):
            self.do(0, self.ingesting(0, name, [], Options()))
        self.do(0, decision("approve", READY))
        self.do(1, assigning(choice, said))
        self.do(0, decision("retire", of_name(shows[0].key.rpartition("/")[2])))
        gone = self.there["Shows"][min(self.there["Shows"])]
        place = next(name for name in IDENTITIES if f"{ROOTS[0]}/{name}" not in self.there["Shows"])
        moved = File(f"{ROOTS[0]}/{place}", 0, 0, IDENTITIES[place])
        self.do(0, self.ingesting(0, "Shows", [("go", 0, moved), ("move", 0, moved)], Options()))
        back = gone if comes_back is None else gone._replace(size=comes_back)
        self.do(1, self.ingesting(1, "Shows", [("come", 0, back)], options if comes_back is None else Options()))
        self.do(0, self.ingesting(0, "More", [], Options("all", strict_names=True)))

    @rule(who=WHO, name=st.sampled_from(NAMES), whats=st.lists(CONFIGURING, min_size=1, max_size=3), fault_at=FAULT)
    def configure(self, who: int, name: str, whats: list[str], fault_at: int | None) -> None:
        for what in whats:
            self.do(who, self.configuration(name, what), fault_at=fault_at)

    @rule(
        who=WHO,
        name=NAME,
        first=st.sampled_from(["map", "wipe", "detach", "exclude"]),
        then=st.one_of(CONFIGURING, st.sampled_from(["exclude", "unexclude"])),
    )
    def configure_twice(self, who: int, name: str, first: str, then: str) -> None:
        """What a wipe allows, and what was just there."""
        self.do(who, wipe(name) if first == "wipe" else self.configuration(name, first))
        self.do(1 - who, self.configuration(name, then))

    @rule(who=WHO)
    def discover(self, who: int) -> None:
        self.do(who, self.configuration(SOURCE, "discover"))

    @rule(who=WHO, name=st.sampled_from([SOURCE, "spare", "spare"]), what=st.sampled_from(["add_source", "remove_source"]))
    def change_sources(self, who: int, name: str, what: str) -> None:
        self.do(who, self.configuration(name, what))

    def configuration(self, name: str, what: str) -> Step:
        """A change of the configuration, by name."""
        first, second = ROOTS
        steps: dict[str, tuple[Callable[[Catalog], object], Callable[[Model], object]]] = {
            "add_source": (lambda catalog: catalog.add_source(name, "fake"), lambda model: model.add_source(name)),
            "remove_source": (lambda catalog: catalog.remove_source(name), lambda model: model.remove_source(name)),
            "discover": (lambda catalog: catalog.discover_collections(name), lambda model: model.discover({"Found": first})),
            "add": (
                lambda catalog: catalog.add_collection(SOURCE, name, path_mappings={first: self.local(first)}),
                lambda model: model.add_collection(name, first),
            ),
            "remove": (lambda catalog: catalog.remove_collection(name), lambda model: model.remove_collection(name)),
            "enable": (lambda catalog: catalog.enable_collection(name), lambda model: model.set_enabled(name, enabled=True)),
            "disable": (lambda catalog: catalog.disable_collection(name), lambda model: model.set_enabled(name, enabled=False)),
            "attach": (lambda catalog: catalog.attach_enricher(name, "fake"), lambda model: model.attach(name)),
            "detach": (lambda catalog: catalog.detach_enricher(name, "fake"), lambda model: model.detach(name)),
            "map": (
                lambda catalog: catalog.map_path(name, second, self.local(second)),
                lambda model: model.map_path(name, second),
            ),
            "unmap": (lambda catalog: catalog.unmap_path(name, second), lambda model: model.unmap_path(name, second)),
            "exclude": (lambda catalog: catalog.exclude(name, "e.mkv"), lambda model: model.exclude(name, "e.mkv")),
            "unexclude": (lambda catalog: catalog.unexclude(name, "e.mkv"), lambda model: model.unexclude(name, "e.mkv")),
            "keep": (
                lambda catalog: catalog.set_upgrades(name, "keep-approval"),
                lambda model: model.set_upgrades(name, "keep-approval"),
            ),
            "ask": (lambda catalog: catalog.set_upgrades(name, "ask"), lambda model: model.set_upgrades(name, "ask")),
            "unmap_first": (lambda catalog: catalog.unmap_path(name, first), lambda model: model.unmap_path(name, first)),
        }
        return Step(what, *steps[what])

    # Files

    def happen(self, name: str, happenings: list[tuple[str, int, File]]) -> list[str]:
        """What becomes of the files that the source has: the keys of those that it reports twice."""
        there, doubled = self.there[name], []
        for what, number, file in happenings:
            chosen = sorted(there)[number % len(there)] if there else file.key
            if what in ("go", "move", "chain"):
                gone = there.pop(chosen, file)
                if what != "go":
                    there[file.key] = file._replace(size=gone.size, mtime=gone.mtime)
                if what == "chain":
                    last = max(there)
                    there[last] = there[last]._replace(size=gone.size, mtime=gone.mtime)
            elif what == "come":
                there[file.key] = file
            elif what == "go_all":
                self.there[name] = there = {key: each for key, each in there.items() if root_of(key) != root_of(file.key)}
            elif what == "change" and there:
                there[chosen] = there[chosen]._replace(size=file.size, mtime=file.mtime)
            else:
                doubled.append(chosen)
        return doubled

    def reported(self, who: int, name: str, doubled: list[str], *, is_stray: bool) -> list[File]:
        """What an importer reports from now on; a stray file is below no mapping."""
        roots = self.model.roots(name)
        files = [self.placed(name, file) for key, file in sorted(self.there[name].items()) if is_stray or root_of(key) in roots]
        files += [file._replace(size=99) for file in files if file.key in doubled]
        importer = self.catalogs[who].importers["fake"]
        assert isinstance(importer, FakeImporter)
        importer.drafts = [self.draft(file) for file in files]
        return files

    def placed(self, name: str, file: File) -> File:
        """A file where the mapping of a collection leads."""
        root = root_of(file.key)
        return file._replace(place=self.model.place(name, root)) if root in self.model.roots(name) else file

    def draft(self, file: File) -> AssetDraft:
        """A file as an importer reports it."""
        kind, title, year, season, episodes = file.identity
        return AssetDraft(
            self.local(root_of(file.key) + file.place + file.key.removeprefix(root_of(file.key))),
            file.key,
            size=file.size,
            mtime_ns=file.mtime,
            sidecars=(),
            kind=None if kind == "other" else kind,  # type: ignore[arg-type]  # the model says text
            title=title,
            year=year,
            season_number=season,
            episode_numbers=episodes,
            duration_ms=BROKEN * 1000 if file.size == BROKEN else None,
            metadata={"editorial": {"size": file.size}},
        )

    @rule(
        who=WHO,
        name=NAME,
        happenings=HAPPENINGS,
        options=OPTIONS,
        is_stray=st.sampled_from([False, False, False, True]),
        dry_run=DRY,
        fault_at=st.one_of(FAULT, st.none(), st.integers(1, 150)),
    )
    def ingest(
        self,
        who: int,
        name: str,
        happenings: list[tuple[str, int, File]],
        options: Options,
        is_stray: bool,
        dry_run: bool,
        fault_at: int | None,
    ) -> None:
        step = self.ingesting(who, name, happenings, options, is_stray=is_stray, dry_run=dry_run)
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)

    def ingesting(
        self,
        who: int,
        name: str,
        happenings: list[tuple[str, int, File]],
        options: Options,
        *,
        is_stray: bool = False,
        dry_run: bool = False,
    ) -> Step:
        files = self.reported(who, name, self.happen(name, happenings), is_stray=is_stray)
        return Step(
            "ingest",
            lambda catalog: catalog.ingest_collection(name, dry_run=dry_run, **self.arguments(name, options)),
            lambda model: model.ingest(name, files, options),
        )

    def arguments(self, name: str, options: Options) -> dict[str, Any]:
        """Options as an ingest takes them."""
        under = options.under
        if under is not None:
            under = self.local(under + (self.model.place(name, under) if under in self.model.roots(name) else ""))
        return {
            "filters": IngestFilters(title=options.title, exclude=(options.exclude,) if options.exclude else (), under=under),
            "refresh": options.refresh,
            "allow_empty": options.allow_empty,
            "strict_names": options.strict_names,
            "broken": options.broken,
        }

    @rule(who=WHO, name=NAME, happenings=HAPPENINGS, how=st.sampled_from(["rebuild", "use", "close"]), fault_at=FAULT)
    def prepare(self, who: int, name: str, happenings: list[tuple[str, int, File]], how: str, fault_at: int | None) -> None:
        """An ingest in two parts: the writing in a unit with a wipe, or by itself, or not at all."""
        files = self.reported(who, name, self.happen(name, happenings), is_stray=False)

        def act(catalog: Catalog) -> object:
            with catalog.prepare_ingest(name, as_if_empty=how == "rebuild", allow_empty=True, broken="record") as prepared:
                if how == "close":
                    with pytest.raises(WipeError, match="is in use"):
                        self.catalogs[1 - who].wipe_collection(name)
                    return None
                with catalog.session() if how == "rebuild" else nullcontext():
                    if how == "rebuild":
                        catalog.wipe_collection(name)
                    return catalog.ingest_collection(prepared)

        def change(model: Model) -> Told | None:
            model.require_enabled(name)
            if how == "rebuild":
                model.wipe(name)
            told = model.ingest(name, files, Options())
            return None if how == "close" else told

        self.do(who, Step(how, act, change), dry_run=how == "close", fault_at=None if how == "close" else fault_at)

    @rule(who=WHO, happenings=HAPPENINGS, refresh=REFRESH, broken=BROKEN_FILES)
    def ingest_the_source(self, who: int, happenings: list[tuple[str, int, File]], refresh: str | None, broken: str) -> None:
        """The enabled collections one by one, all with the same files."""
        files = self.reported(who, "Shows", self.happen("Shows", happenings), is_stray=False)
        options = Options(refresh, broken=broken)
        model, models, done = self.model.copied(), list[Model](), list[str]()
        with suppress(RefusedError), self.watched():
            for name in model.enabled():
                ingested = model.copied()
                with suppress(RefusedError):
                    ingested.ingest(name, files, options)
                    ingested.judge()
                    model = ingested
                    models.append(model)
                    done.append(name)
        arguments_ = {"refresh": refresh, "allow_empty": True, "broken": broken}
        result, outcome = self.attempt(who, lambda catalog: catalog.ingest_source(SOURCE, **arguments_))  # type: ignore[arg-type]  # mixed values
        assert (outcome == "refused") == (not self.model.enabled())
        if outcome == "done":
            assert [each.collection.name for each in result.results] == done  # type: ignore[attr-defined]  # a source's result
            assert len(result.failures) == len(self.model.enabled()) - len(done)  # type: ignore[attr-defined]  # likewise
            self.note(models)

    @rule(who=WHO, name=NAME, file=FILE, refresh=REFRESH, broken=BROKEN_FILES, fault_at=FAULT)
    def process(self, who: int, name: str, file: File, refresh: Any, broken: Any, fault_at: int | None) -> None:
        file = self.placed(name, file)
        self.do(
            who,
            Step(
                "process",
                lambda catalog: catalog.process_asset(self.draft(file), name, refresh=refresh, broken=broken),
                lambda model: model.process(name, file, refresh, broken),
            ),
            fault_at=fault_at,
        )

    @rule(
        who=WHO,
        name=NAME,
        root=st.sampled_from([ROOTS[0], ROOTS[0], ROOTS[1]]),
        place=st.sampled_from([PLACES[0], PLACES[1], PLACES[1]]),
        looks=LOOKS,
        min_found=st.sampled_from([0, 0, 0.5, 1]),
        dry_run=DRY,
        fault_at=FAULT,
    )
    def relocate(
        self,
        who: int,
        name: str,
        root: str,
        place: str,
        looks: list[str],
        min_found: float,
        dry_run: bool,
        fault_at: int | None,
    ) -> None:
        """The files of a mapping are elsewhere, or some of them, or other ones."""
        assets = [
            asset for asset in self.model.table("asset").values() if asset.collection == name and root_of(asset.key) == root
        ]
        looking = {asset.key: looks[sorted(IDENTITIES).index(asset.key.rpartition("/")[2])] for asset in assets}
        for asset in assets:
            path, look = Path(self.local(root + place) + asset.key.removeprefix(root)), looking[asset.key]
            path.write_bytes(bytes(asset.size + (look == "other")))
            os.utime(path, ns=(0, asset.mtime + (look == "touched")))
            if look == "gone":
                path.unlink()
        old = PLACES[1 - PLACES.index(place)]
        if root in self.model.roots(name):
            old = self.model.place(name, root)
        step = Step(
            "relocate",
            lambda catalog: catalog.relocate_collection(
                name, self.local(root + old), self.local(root + place), min_found=min_found, dry_run=dry_run
            ),
            lambda model: model.relocate(name, root, place, looking, min_found),
        )
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)
        for asset in assets:
            (Path(self.local(root + place) + asset.key.removeprefix(root))).touch()

    @precondition(lambda self: all(ROOTS[0] in self.model.roots(name) for name in NAMES[:2]))
    @rule(who=WHO, name=st.sampled_from(NAMES[:2]), refresh=REFRESH)
    def relocate_one_of_two(self, who: int, name: str, refresh: str | None) -> None:
        """Of two collections with the same files, one leads elsewhere: the files of the first are in the way of the other."""
        place = PLACES[1 - PLACES.index(self.model.place(name, ROOTS[0]))]
        self.relocate(who, name, ROOTS[0], place, ["there"] * len(IDENTITIES), 0, dry_run=False, fault_at=None)
        self.ingest_the_source(who, [], refresh, "record")

    @rule(who=WHO, name=NAME, expected=EXPECTED, dry_run=st.booleans(), fault_at=FAULT)
    def wipe(self, who: int, name: str, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, wipe(name, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, name=NAME, fraction=st.sampled_from([1.0, 0.3]), dry_run=DRY, fault_at=FAULT)
    def forget(self, who: int, name: str, fraction: float, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, forget(name, fraction, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, name=NAME, what=st.sampled_from(["attach", "detach"]), refresh=REFRESH)
    def refresh_with_other_enrichers(self, who: int, name: str, what: str, refresh: str | None) -> None:
        self.do(who, self.configuration(name, what))
        self.do(1 - who, self.ingesting(1 - who, name, [], Options(refresh)))

    @rule(who=WHO, name=NAME, number=st.integers(0, 7))
    def begin_again(self, who: int, name: str, number: int) -> None:
        """What was decided about a file outlasts its asset."""
        files = [file for key, file in sorted(self.there[name].items()) if root_of(key) in self.model.roots(name)]
        self.do(who, decision("retire", of_name(files[number % len(files)].key.rpartition("/")[2])) if files else wipe(name))
        self.do(who, wipe(name))
        for file in files[:2]:
            self.process(who, name, file, None, "record", None)

    @rule(
        who=WHO,
        name=NAME,
        number=st.integers(0, 7),
        file=FILE,
        what=st.sampled_from(["keep", "keep", "ask"]),
        options=st.one_of(st.just(Options()), st.just(Options()), OPTIONS),
    )
    def upgrade(self, who: int, name: str, number: int, file: File, what: str, options: Options) -> None:
        """A file that is approved went, and one of the same name lies in the other place."""
        old = sorted(self.there[name])[number % len(self.there[name])] if self.there[name] else file.key
        file_name = old.rpartition("/")[2]
        better = file._replace(key=f"{ROOTS[root_of(old) == ROOTS[0]]}/{file_name}", identity=IDENTITIES[file_name])
        self.do(who, self.configuration(name, what))
        self.do(who, decision("approve", READY))
        self.do(who, decision("prefer", one_file(name, old)))
        self.do(1 - who, self.ingesting(1 - who, name, [("go", number, file), ("come", 0, better)], options))

    @rule(who=WHO, name=NAME, root=st.sampled_from(ROOTS))
    def replace_by_two(self, who: int, name: str, root: str) -> None:
        """A file went, and two show what it showed: which of them replaces it cannot be told."""
        old, *new = (File(f"{root}/{each}.mkv", size, 1, IDENTITIES["d.mkv"]) for each, size in (("d", 3), ("g", 1), ("h", 2)))
        self.do(who, self.ingesting(who, name, [("come", 0, old)], Options()))
        number = sorted(self.there[name]).index(old.key)
        self.do(who, self.ingesting(who, name, [("go", number, old), *(("come", 0, each) for each in new)], Options()))

    @rule(who=WHO, name=NAME, root=st.sampled_from(ROOTS), names=st.sampled_from(["ad", "da", "ef", "fe"]), options=OPTIONS)
    def retitle(self, who: int, name: str, root: str, names: str, options: Options) -> None:
        """A file says another title where it lies now, and nothing else that is new."""
        old, new = (File(f"{root}/{each}.mkv", 3, 1, IDENTITIES[f"{each}.mkv"]) for each in names)
        self.do(who, self.ingesting(who, name, [("come", 0, old)], Options()))
        number = sorted(self.there[name]).index(old.key)
        self.do(who, self.ingesting(who, name, [("move", number, new)], options))

    @rule(who=WHO, name=NAME, number=st.integers(0, 7), file=FILE, refresh=REFRESH)
    def chain(self, who: int, name: str, number: int, file: File, refresh: str | None) -> None:
        """A file moved, and another one looks the same now: which is which cannot be told."""
        self.do(who, self.ingesting(who, name, [("chain", number, file)], Options(refresh)))

    @rule(
        who=WHO,
        name=NAME,
        gone=FILE,
        allow_empty=st.booleans(),
        fraction=st.sampled_from([1.0, 1.0, 0.1]),
        dry_run=DRY,
    )
    def forget_what_went(self, who: int, name: str, gone: File, allow_empty: bool, fraction: float, dry_run: bool) -> None:
        """All that lay in one place went for good."""
        self.do(who, self.ingesting(who, name, [("go_all", 0, gone)], Options(allow_empty=allow_empty)))
        self.do(1 - who, forget(name, fraction, dry_run=dry_run), dry_run=dry_run)

    # Decisions

    @rule(who=WHO, choice=either(READY), expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def approve(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("approve", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, choice=CHOICE, expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def withdraw(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("withdraw_approval", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, choice=CHOICE, expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def retire(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("retire", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @precondition(lambda self: any(asset.state == "retired" for asset in self.model.table("asset").values()))
    @rule(who=WHO, choice=either(RETIRED), expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def reinstate(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("reinstate", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, number=st.integers(0, 9), choice=CHOICE, dry_run=DRY, fault_at=FAULT)
    def prefer(self, who: int, number: int, choice: Choice, dry_run: bool, fault_at: int | None) -> None:
        may_air = sorted(asset[:2] for asset in self.model.table("asset").values() if asset.may_air)
        wanted = one_file(*may_air[number % len(may_air)]) if may_air else choice
        self.do(who, decision("prefer", wanted, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, choice=CHOICE, dry_run=DRY, fault_at=FAULT)
    def prefer_several(self, who: int, choice: Choice, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("approve", choice))
        self.do(who, decision("prefer", choice, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, choice=CHOICE, expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def unprefer(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("unprefer", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, choice=CHOICE, expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def unassign(self, who: int, choice: Choice, expected: int | None, dry_run: bool, fault_at: int | None) -> None:
        self.do(who, decision("unassign", choice, expected, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, name=NAME, choice=either(EVERYTHING), refresh=st.sampled_from([None, "files", "changed"]))
    def read_again(self, who: int, name: str, choice: Choice, refresh: str | None) -> None:
        """What was assigned is no longer, and the files are as they were."""
        self.do(who, decision("unassign", choice))
        self.do(who, self.ingesting(who, name, [], Options(refresh)))

    @rule(who=WHO, choice=CHOICE, said=st.sampled_from(SAID), expected=EXPECTED, dry_run=DRY, fault_at=FAULT)
    def assign(
        self, who: int, choice: Choice, said: Identity | int, expected: int | None, dry_run: bool, fault_at: int | None
    ) -> None:
        step = assigning(choice, said, expected, dry_run=dry_run)
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)

    @rule(
        who=WHO, choice=either(NUMBERED), pattern=st.sampled_from([*READINGS]), expected=EXPECTED, dry_run=DRY, fault_at=FAULT
    )
    def assign_by_name(
        self, who: int, choice: Choice, pattern: str, expected: int | None, dry_run: bool, fault_at: int | None
    ) -> None:
        step = assigning_by_name(choice, pattern, expected, dry_run=dry_run)
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)

    @rule(who=WHO, steps=STEPS, end=st.sampled_from(["kept", "kept", "raised", "rolled back"]), fault_at=FAULT)
    def do_in_one_unit(self, who: int, steps: list[Step], end: str, fault_at: int | None) -> None:
        def act(catalog: Catalog) -> None:
            with suppress(ChangedMindError), catalog.session() as db:
                for step in steps:
                    step.act(catalog)
                if end == "raised":
                    raise ChangedMindError
                if end == "rolled back":
                    db.set_rollback_only("so said the test")

        def change(model: Model) -> None:
            for step in steps:
                step.change(model)

        self.do(who, Step("unit", act, change), dry_run=end != "kept", fault_at=fault_at)

    @precondition(lambda self: self.model.table("title"))
    @rule(who=WHO, data=st.data(), spelling=st.sampled_from(SPELLINGS), dry_run=DRY, fault_at=FAULT)
    def rename(
        self, who: int, data: st.DataObject, spelling: tuple[str, int | None], dry_run: bool, fault_at: int | None
    ) -> None:
        number, id_ = self.one_title(data)
        name, year = spelling
        step = Step(
            "rename",
            lambda catalog: catalog.rename_title(id_, name=name, year=year or 0, dry_run=dry_run),
            lambda model: model.rename(number, name, year),
        )
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)

    @precondition(lambda self: len(self.model.table("title")) > 1)
    @rule(who=WHO, data=st.data(), dry_run=DRY, fault_at=FAULT)
    def merge(self, who: int, data: st.DataObject, dry_run: bool, fault_at: int | None) -> None:
        goes, goes_id = self.one_title(data)
        stays, stays_id = self.one_title(data, like=goes if data.draw(st.sampled_from([True, True, True, False])) else None)
        step = Step(
            "merge",
            lambda catalog: catalog.merge_titles(goes_id, into=stays_id, dry_run=dry_run),
            lambda model: model.merge(goes, stays),
        )
        self.do(who, step, dry_run=dry_run, fault_at=fault_at)

    def one_title(self, data: st.DataObject, *, like: int | None = None) -> tuple[int, str]:
        """The model's number and the catalogue's identifier of a title; of another one of the same kind, if there is one."""
        titles = self.model.table("title")
        alike = [each for each, row in titles.items() if like not in (None, each) and row[0] == titles[like][0]]
        number = data.draw(st.sampled_from(alike or sorted(titles)))
        (found,) = [each for each in self.catalogs[0].titles() if (each.kind, each.name, each.year) == titles[number]]
        return number, found.id

    @precondition(lambda self: self.model.table("asset"))
    @rule(who=WHO, number=st.integers(0, 9), start=st.integers(0, 3), fault_at=FAULT)
    def plan(self, who: int, number: int, start: int, fault_at: int | None) -> None:
        """An operation of an extension's own, whose rules hold for all others, too."""
        numbers = self.model.table("asset")
        asset = sorted(numbers)[number % len(numbers)]

        def act(catalog: Catalog) -> None:
            with catalog.operation("plan") as op:
                with op.preflight() as db:
                    ((id_,),) = db.execute(
                        """
                        SELECT asset.id
                          FROM asset
                          JOIN collection ON collection.id = asset.collection_id
                         WHERE (collection.name, asset.canonical_key) = (?, ?)
                        """,
                        numbers[asset][:2],
                    )
                with op.execution() as db:
                    slot = "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) VALUES (?1, ?2, ?2 + 1)"
                    db.execute(slot, (id_, start))
                with op.postvalidation() as db:
                    validate_database_consistency(db)
                op.finish(None)

        self.do(who, Step("plan", act, lambda model: model.plan(asset, start)), fault_at=fault_at)

    # Undo, and the ways of the world

    @rule(who=WHO, dry_run=DRY, fault_at=FAULT)
    def undo_the_last(self, who: int, dry_run: bool, fault_at: int | None) -> None:
        self.undo(who, 0, dry_run, fault_at)

    @rule(who=WHO, back=st.integers(1, 6), dry_run=DRY, fault_at=FAULT)
    def undo(self, who: int, back: int, dry_run: bool, fault_at: int | None) -> None:
        """The last unit that changed something can be undone; another one only if all is as it left it."""
        changing = [unit for unit in self.catalogs[0].history(limit=10**6) if unit.counts]
        id_ = changing[min(back, len(changing) - 1)].id
        (unit,) = [each for each in self.units if each.id == id_]
        model = self.model.copied()
        with self.watched():
            fits = model.undo(unit.before, unit.after)
        result, outcome = self.attempt(
            who, lambda catalog: catalog.undo(id_, dry_run=dry_run), dry_run=dry_run, fault_at=fault_at
        )
        if outcome == "refused":
            assert id_ != changing[0].id, f"the last unit could not be undone: {self.last_error}"
        if outcome in ("done", "dry"):
            assert fits, "undone, though somebody had built on it"
            assert_withdrew(result, self.model, model)
        if outcome == "done":
            self.note([model])

    @rule(who=WHO)
    def close_and_reopen(self, who: int) -> None:
        self.catalogs[who].close()
        self.catalogs[who] = self.opened()

    # What holds after every step

    @invariant()
    def all_is_well(self) -> None:
        self.the_catalogue_is_what_the_model_says()
        self.the_journal_adds_up()
        self.steps += 1
        if self.steps % 4 == 0:  # it takes longer than all the rest
            report = self.catalogs[0].check()
            assert report.is_sound, report.violations

    def the_catalogue_is_what_the_model_says(self) -> None:
        there = content(self.catalogs[1])
        with self.watched():
            expected = self.model.content()
        assert there == expected, "\n".join(
            f"{table}: it has {there[table] - expected[table]}, and should have {expected[table] - there[table]}"
            for table in there
            if there[table] != expected[table]
        )

    def the_journal_adds_up(self) -> None:
        history = self.catalogs[1].history(limit=10**6)
        assert [unit.id for unit in reversed(history)] == [unit.id for unit in self.units]
        sums: Counter[str] = Counter()
        for unit in history:
            for table, kinds in (unit.counts or {}).items():
                sums[table] += kinds.get("insert", 0) - kinds.get("delete", 0)
        for table in {*sums, *OF_ASSETS}:
            ((count,),) = self.catalogs[1].database.execute(f"SELECT count(*) FROM {table}")  # noqa: S608  the journal's names
            assert sums[table] == count, table


def assert_tells(result: object, told: object) -> None:
    """A result says what the model says that it should."""
    if told is not None:
        assert isinstance(told, Mapping)
        pairs = {name: (plain(getattr(result, name)), plain(value)) for name, value in told.items()}
        wrong = {name: f"{says}, and should say {should}" for name, (says, should) in pairs.items() if says != should}
        assert not wrong, f"the result says {wrong}"


def assert_withdrew(result: object, before: Model, after: Model) -> None:
    """A result lists the approvals that went; what came back retired, and had been approved once, beside them."""
    if isinstance(result, WithdrawingResult):
        there, told = before.table("asset"), Counter(each.path for each in result.withdrawals)
        known = [(row, there[number]) for number, row in after.table("asset").items() if number in there]
        lost = Counter(row.key for row, was in known if was.approved and not row.approved)
        new = {row.key for number, row in after.table("asset").items() if number not in there}
        assert not lost - told and set(told - lost) <= new, result.withdrawals  # noqa: PT018  one question
        assert result.approvals_withdrawn == len(result.withdrawals)


def plain(value: object) -> object:
    """To be compared: titles by what they are called, lists in any order, and without what counts nothing."""
    if isinstance(value, Title):
        return value.kind, value.name, value.year
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items() if each}
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return sorted(value)
    return value


def place_of(folder: str) -> str:
    """Which of the places of a root a folder is."""
    return PLACES[folder.endswith(PLACES[1])]


def content(catalog: Catalog) -> dict[str, Counter[Any]]:
    """What a catalogue holds, as the model tells it."""
    db = catalog.database
    collections = catalog.collections()
    names = {collection.id: collection.name for collection in collections}
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
                    place_of(os.path.dirname(each.file_path)),
                ),
                Identity(each.kind, each.title, each.year, each.season_number, each.episode_numbers),
            )
            for each in catalog.assets()
        ),
        "title": Counter((each.kind, each.name, each.year, each.seasons, each.episodes) for each in catalog.titles()),
        "source": Counter((source.name,) for source in catalog.sources()),
        "collection": Counter((each.name, each.enabled) for each in collections),
        "path_mapping": Counter(
            (each.name, mapping.source_path, place_of(mapping.local_path))
            for each in collections
            for mapping in each.path_mappings
        ),
        "exclude": Counter((each.name, pattern) for each in collections for pattern in each.excludes),
        "upgrades": Counter((each.name,) for each in collections if each.upgrades == "keep-approval"),
        "enricher": Counter((each.name,) for each in collections for _ in each.enrichers),
        "assignment": Counter(
            (names[collection], key, Identity(kind, title, year, season, tuple(json.loads(episodes))))
            for collection, key, kind, title, year, season, episodes in db.execute(
                "SELECT collection_id, canonical_key, kind, title, year, season_number, episode_numbers FROM assignment"
            )
        ),
        "retirement": Counter(
            (names[collection], key) for collection, key in db.execute("SELECT collection_id, canonical_key FROM retirement")
        ),
        "preference": Counter(
            (names[collection], key) for collection, key in db.execute("SELECT collection_id, canonical_key FROM preference")
        ),
        "approval": Counter(
            (names[collection], key, bool(approved), size or 0, mtime or 0, duration, identity_of(json.loads(shown)))
            for collection, key, approved, size, mtime, duration, shown in db.execute(
                "SELECT collection_id, canonical_key, approved, size, mtime_ns, duration_ms, shown FROM approval"
            )
        ),
        "title_spelling": Counter(db.execute("SELECT kind, spelled, spelled_year, name, year FROM title_spelling")),
        "marker": Counter(
            db.execute("SELECT canonical_key, start_ms + 1 FROM marker JOIN asset ON asset.id = marker.asset_id")
        ),
        "asset_metadata": Counter(
            db.execute(
                "SELECT canonical_key, document ->> 'size' FROM asset_metadata JOIN asset ON asset.id = asset_metadata.asset_id"
            )
        ),
        "slot": Counter(
            db.execute("SELECT canonical_key, start_ms FROM playlog_slot JOIN asset ON asset.id = playlog_slot.asset_id")
        ),
        "finding": Counter(
            (key, severity, int(message.rpartition(" ")[2]))
            for key, severity, message in db.execute(
                "SELECT canonical_key, severity, message FROM finding JOIN asset ON asset.id = finding.asset_id"
            )
        ),
        "schedulable": Counter(each.canonical_key for each in catalog.schedulable_assets()),
    }


def identity_of(shown: list[Any]) -> Identity:
    """What an approval says that its file shows."""
    kind, title, year, season, episodes = shown
    return Identity(kind, title, year, season, tuple(episodes))


def model_lines() -> set[int]:
    """The lines of the model within its functions."""
    found: set[int] = set()
    source = Path(plain_model.__file__).read_text(encoding="utf-8")
    whole = compile(source, plain_model.__file__, "exec")
    left = [code for code in whole.co_consts if isinstance(code, CodeType)]
    while left:
        code = left.pop()
        if (
            code.co_flags & 0x2 and code.co_name != "__repr__"
        ):  # a function's, not a class's: https://docs.python.org/3/library/inspect.html#inspect-module-co-flags
            found |= {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}
        left += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    return found
