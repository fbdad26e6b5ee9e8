"""One open catalogue file and everything one can ask of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import _lru_cache_wrapper, cache, partial
from types import TracebackType

import retrovue_uow
from retrovue_uow.errors import ContractError, ResourceError, ValidationError
from retrovue_uow.media import plugins
from retrovue_uow.media.interfaces import EnricherFactory, ImporterFactory
from retrovue_uow.model import (
    Asset,
    AssetKind,
    AssetSelector,
    AssetState,
    Changes,
    Collection,
    Extension,
    JournalUnit,
    Json,
    Marker,
    Source,
    Title,
    TitleKind,
    Versions,
)
from retrovue_uow.operations import configure, curate, explain, forget, ingest, process, relocate, select, undo, wipe
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.rules.curation import Protection
from retrovue_uow.rules.undo import validate_unit_exists
from retrovue_uow.store import assets, checks, collections, journal, migrations, rows, titles, verification
from retrovue_uow.store.claims import Claims
from retrovue_uow.store.extensions import code_of
from retrovue_uow.store.ids import whole_id
from retrovue_uow.store.recorder import Recorder, Retention
from retrovue_uow.uow.changes import HAS_SESSIONS, NOT_HAD
from retrovue_uow.uow.connection import MEMORY, usable_path
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.unit import Unit


def _protections(protects: Protection | None) -> tuple[_lru_cache_wrapper[bool], ...]:
    """All that says what is protected; each is asked about an asset once in a unit, however many look at it."""
    if protects is not None and not callable(protects):
        raise ContractError(f"`protects` must be a function that gets an asset, not {protects!r}")
    found = [*plugins.protections(), *([] if protects is None else [protects])]
    if not found:
        raise ContractError(
            "`production=True` protects nothing: give `protects`, a function that says of an asset whether it is protected, "
            "or install a distribution that has one (docs/how-to.md)"
        )
    if not HAS_SESSIONS:
        raise ResourceError(f"in production it must be told what a unit deletes, and {NOT_HAD}")
    return tuple(cache(each) for each in found)


class Catalog(OpenCatalog):
    """An open catalogue: a context manager, for one thread. Created if the file does not exist.

    Args:
        path: The file, or `":memory:"`.
        read_only: Nothing can be changed, not even by accident; reads from a read-only file system, too.
        busy_timeout_ms: How long to wait for the lock of a writer that does not queue, before a `ResourceError`.
        write_wait_s: How long to wait for one's turn among the other catalogues that write to the file, likewise.
        undo_units: How many of the newest units of work can be undone.
        undo_bytes: How many bytes their compressed changesets may take in the file, at most.
        importers: Importer types by name, besides the built-in ones and those found by entry point.
        enrichers: Enricher types by name, likewise.
        ffprobe: The program that the enricher `ffprobe` runs; None: what the environment variable RETROVUE_FFPROBE names,
            else `ffprobe` on PATH. A catalogue's own configuration cannot name one.
        extensions: The station's own tables, rules and views, which the catalogue gets if it does not have them; the code of
            others that it has already is found by entry point.
        production: Refuse whatever would delete or retire what is protected, or give it another identifier: an operation, an
            undo, SQL in a session. Nothing overrides that.
        protects: Says whether an asset, as it was before the unit of work, is protected, such as by having been on the air;
            those found by entry point do, too.

    Raises:
        ResourceError: The file is missing, unreadable, unwritable, damaged, locked, another program's or too new; it is
            left untouched.
        ContractError: `production` without anything that says what is protected.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        busy_timeout_ms: int = 5000,
        write_wait_s: float = 60,
        undo_units: int = 200,
        undo_bytes: int = 2**30,
        importers: Mapping[str, ImporterFactory] = {},
        enrichers: Mapping[str, EnricherFactory] = {},
        ffprobe: str | os.PathLike[str] | None = None,
        extensions: Iterable[Extension] = (),
        production: bool = False,
        protects: Protection | None = None,
    ) -> None:
        self.given_extensions = tuple(extensions)
        protections = _protections(protects) if production else ()
        migrations.refuse_foreign_file(usable_path(path))
        self.database = Database(path, busy_timeout_ms=busy_timeout_ms, read_only=read_only, write_wait_s=write_wait_s)
        try:
            schemas = migrations.migrate(self.database, undo.settle_after_migration, self.given_extensions, plugins.extensions)
        except BaseException:
            self.database.close()
            raise
        self.importers = plugins.importer_factories(importers)
        self.enrichers = plugins.enricher_factories(enrichers, ffprobe=None if ffprobe is None else os.fspath(ffprobe))
        self.protections = protections
        self._claims = Claims(self.database.path)
        self._recorder = Recorder(
            self.database,
            schemas,
            integrity.validate_database_consistency,
            Retention(undo_units, undo_bytes),
            allow=partial(curation.validate_nothing_protected_goes, protections) if protections else None,
        )
        for each in protections:
            self.database.after_begin(each.cache_clear)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give back what was claimed. Refused inside a unit of work, which is rolled back.

        Where one part cannot be closed, the others are all the same, and the first error is raised.
        """
        errors: list[BaseException] = []
        for part in (self.database, self._claims):
            try:
                part.close()
            except ContractError:
                raise  # refused: the catalogue is still open, and its claims may be somebody's
            except BaseException as error:  # noqa: BLE001  raised once all are closed
                errors.append(error)
        if errors:
            raise errors[0]

    def session(self, *, contain: bool = False, durable: bool = False) -> Unit[Database]:
        """A unit of work around several operations, or around SQL of your own: all of it, or nothing.

        What the rules have not seen by its end they judge before the COMMIT. See `Database.session`.
        """
        return self.database.session(contain=contain, durable=durable)

    add_source = configure.add_source
    discover_collections = configure.discover_collections
    add_collection = configure.add_collection
    map_path = configure.map_path
    unmap_path = configure.unmap_path
    exclude = configure.exclude
    unexclude = configure.unexclude
    enable_collection = configure.enable_collection
    disable_collection = configure.disable_collection
    set_upgrades = configure.set_upgrades
    attach_enricher = configure.attach_enricher
    detach_enricher = configure.detach_enricher
    remove_collection = configure.remove_collection
    remove_source = configure.remove_source
    prepare_ingest = ingest.prepare_ingest
    ingest_collection = ingest.ingest_collection
    ingest_source = ingest.ingest_source
    process_asset = process.process_asset
    wipe_collection = wipe.wipe_collection
    forget_missing = forget.forget_missing
    relocate_collection = relocate.relocate_collection
    undo = undo.undo
    approve = curate.approve
    withdraw_approval = curate.withdraw_approval
    retire = curate.retire
    reinstate = curate.reinstate
    assign = curate.assign
    assign_by_name = curate.assign_by_name
    unassign = curate.unassign
    prefer = curate.prefer
    unprefer = curate.unprefer
    rename_title = curate.rename_title
    merge_titles = curate.merge_titles

    def sources(self) -> list[Source]:
        """Every source, by name."""
        return collections.sources(self.database)

    def source(self, selector: str) -> Source:
        """The source with this identifier or name. Raises `ValidationError` if there is none, or more than one."""
        return preflight.validate_source_exists(self.database, selector)

    def collections(self, source: str | None = None) -> list[Collection]:
        """Every collection, or those of one source, by name."""
        found = collections.collections(self.database)
        if source is None:
            return found
        source_id = self.source(source).id
        return [collection for collection in found if collection.source_id == source_id]

    def collection(self, selector: str) -> Collection:
        """The collection with this identifier, external id or name. Raises `ValidationError` for none, or several."""
        return preflight.validate_collection_exists(self.database, selector)

    def assets(
        self,
        collection: str | None = None,
        *,
        kind: AssetKind | None = None,
        state: AssetState | None = None,
        missing: bool | None = None,
        title: str | None = None,
        limit: int | None = None,
        after: Asset | None = None,
    ) -> list[Asset]:
        """The assets of a collection, or of all, by path; each argument given narrows them down.

        Args:
            missing: True: only those whose files were looked for and not found; False: only the others.
            title: A show or movie as it is printed, or its id.
            limit: No more than the first so many; as in `select`.
            after: Only those that come after this one; as in `select`.
        """
        selector = AssetSelector(collection=collection, kind=kind, state=state, missing=missing, title=title)
        return self.select(selector, limit=limit, after=after)

    def select(self, selector: AssetSelector, *, limit: int | None = None, after: Asset | None = None) -> list[Asset]:
        """The assets that a selector describes, by collection and path; every verb takes the same selectors.

        Args:
            limit: No more than the first so many, so that a large catalogue can be read page by page.
            after: Only those that come after this one, the last of the page before; it need not be there any more.

        Raises:
            ValidationError: The selector, limit or `after` makes no sense, or its title is none or ambiguous.
        """
        return select.matching(self.database, selector, limit=limit, after=after)

    def schedulable_assets(self, collection: str | None = None, *, versions: Versions = "best") -> list[Asset]:
        """The assets that may go on the air, of a collection or of all: ready, approved, not missing.

        The view `schedulable_asset` in the file itself has the same, for a scheduler that reads SQL; `best` are those of
        `version_rank` 1.

        Args:
            versions: `best`: of files in all collections that show exactly the same movie or episodes, and part, only the one
                to air: the one that the operator prefers, else the one of greatest height, then size, then the one that came
                first. `all`: every one of them.
        """
        return self.select(AssetSelector(collection=collection, versions=versions))

    def explain(self, asset: str) -> retrovue_uow.Explanation:
        """Why an asset is what it is: what happened to it, and what keeps it off the air. Or why a file is no asset.

        Args:
            asset: Its identifier, or the path of its file; or any other path: then `asset` of what is returned is None, and its
                `reasons` say all that keeps an ingest from making one of it.

        Raises:
            ValidationError: There is no such asset, and it is no path; or the file is in several collections.
        """
        return explain.explanation(self.database, asset)

    def asset(self, uuid: str) -> Asset:
        """The asset with this identifier, or its beginning or end. Raises `ValidationError` if there is none, or several."""
        return assets.asset(self.database, whole_id(self.database, "asset", uuid))

    def markers(self, asset_id: str) -> list[Marker]:
        """The markers of an asset, in time."""
        return assets.markers(self.database, self.asset(asset_id).id)

    def metadata(self, asset_id: str) -> dict[str, Json]:
        """The metadata documents of an asset, by domain."""
        return assets.metadata(self.database, self.asset(asset_id).id)

    def titles(self, kind: TitleKind | None = None) -> list[Title]:
        """Every show and movie, or those of one kind, by name. Raises `ValidationError` for another kind."""
        if kind not in (None, "show", "movie"):
            raise ValidationError(f"the kind of a title is 'show' or 'movie', not {kind!r}")
        return titles.titles(self.database, kind)

    def history(self, limit: int | None = None, *, since: str | None = None) -> list[JournalUnit]:
        """The units of work that were committed last, the newest first, each with its operations; or those since one of them.

        What fails or is refused leaves no unit; the log tells of it. Every unit's row stays; of the newest ones (`undo_units`,
        `undo_bytes`) the changed rows are kept, too.

        Args:
            limit: No more than so many; None: 50, and of those `since` a unit all.
            since: The units committed after the one with this identifier, in the order of their commits. Who asks again and
                again, each time for those since the last one it was given, gets every unit once.

        Raises:
            ValidationError: There is no unit `since`, or the limit makes no sense.
        """
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            raise ValidationError(f"the limit must be a whole number from 0, not {limit!r}")
        most = 2**63 - 1
        if since is None:
            return journal.newest_units(self.database, 50 if limit is None else min(limit, most))
        return journal.units_since(self.database, self.unit(since).id, most if limit is None else min(limit, most))

    def unit(self, unit_id: str) -> JournalUnit:
        """The unit of work with this identifier, or its beginning or end. Raises `ValidationError` if not one has."""
        return validate_unit_exists(self.database, unit_id)

    def changes(self, unit_id: str) -> Changes:
        """What a unit changed, row by row.

        Raises:
            ValidationError: There is no such unit, or its rows are no longer recorded.
            ResourceError: The SQLite at hand has no session extension.
        """
        return rows.changes_in(journal.recorded(self.database, self.unit(unit_id)))

    def last_ingest(self, collection: str) -> JournalUnit | None:
        """The unit that last ingested a collection; None if there was none."""
        return journal.last_unit_of(self.database, ingest.NAME, self.collection(collection).id)

    def status(self) -> retrovue_uow.CatalogStatus:
        """How the catalogue stands: its collections and their assets, what breaks a rule, and how far undo reaches."""
        with self.database.read_only() as db:
            return retrovue_uow.CatalogStatus(
                tuple(collections.statuses(db, ingest.NAME)), len(checks.violations(db)), *journal.undo_store(db)
            )

    def extensions(self) -> list[retrovue_uow.InstalledExtension]:
        """The extensions that the catalogue has, by name."""
        schemas = self._recorder.schemas
        return [
            retrovue_uow.InstalledExtension(
                name,
                record.version,
                len(schemas.code[name].migrations) if name in schemas.code else None,
                tuple(name for kind, name in record.made if kind == "table"),
                tuple(record.rules),
            )
            for name, record in schemas.records.items()
        ]

    def add_extension(self, extension: Extension | str) -> retrovue_uow.InstalledExtension:
        """Add tables, rules and views of the station's own, or bring them up to date, as opening with `extensions` does.

        The catalogue is copied beside itself first (`<path>.v<N>.<time>.bak`): what follows is undone by that copy alone.

        Args:
            extension: Or the name by which an installed distribution offers one.

        Raises:
            ValidationError: Nobody offers it, or what it has is called otherwise than it must be, or breaks its own rules.
            ContractError: It is no extension, its SQL is faulty, or does what it must not; or a unit of work is open.
            ResourceError: It cannot be imported, is older than what the catalogue has, or the catalogue cannot be written.
        """
        if self.database.in_unit:
            raise ContractError(
                "an extension is added in an outermost unit of its own, and another one is open: leave it first"
            )
        offered = plugins.extensions({extension}) if isinstance(extension, str) else [extension]
        if not code_of(offered):
            raise ValidationError(f"no installed distribution offers an extension {extension!r}: install the one that has it")
        name = offered[0].name
        given = (*(each for each in self.given_extensions if each.name != name), *offered)
        schemas = migrations.migrate(self.database, undo.settle_after_migration, given, plugins.extensions)
        if name in schemas.refusals:
            raise ResourceError(schemas.refusals[name])
        self._recorder.know(schemas)
        self.given_extensions = given
        return next(each for each in self.extensions() if each.name == name)

    def remove_extension(self, name: str) -> str | None:
        """Drop all that an extension has in the catalogue; undone only by the copy that is made first.

        Returns:
            The path of the copy; None where the catalogue is in memory.

        Raises:
            ValidationError: The catalogue has no such extension, or a table of others refers to one of its own.
            ContractError: A unit of work is open.
        """
        schemas, copy = migrations.remove_extension(self.database, self._recorder.schemas, name)
        self._recorder.know(schemas)
        self.given_extensions = tuple(each for each in self.given_extensions if each.name != name)
        return copy

    def check(self) -> retrovue_uow.CheckReport:
        """Everything that SQLite and the rules can verify, over the whole file: pages, references, rules, the schema and its
        rules themselves, the settings of the connection, and the journal with what it recorded. Of CHECK constraints, SQLite
        judges none where the catalogue was opened read-only; JSON is judged all the same. What is sound but may surprise is in
        its `mentions`.
        """
        with self.database.read_only() as db:
            schemas = self._recorder.schemas
            schema = list(verification.listed(db, lambda db: verification.wrong_schema(db, schemas)))
            rules_can_judge = not any(each.subject == "view" for each in schema)
            return retrovue_uow.CheckReport(
                (
                    *verification.listed(db, verification.damage),
                    *schema,
                    *verification.listed(db, checks.all_broken_references),
                    *(verification.listed(db, checks.all_violations) if rules_can_judge else ()),
                    *verification.wrong_connection(db),
                    *verification.listed(db, verification.wrong_journal),
                ),
                mentions=(
                    *verification.listed(db, collections.alike_names),
                    *verification.unusual_extensions(schemas),
                ),
            )

    def backup(self, path: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None) -> None:
        """Copy the catalogue into the new file `path`, whole and consistent, while others go on working.

        Args:
            progress: Called with pages done and pages in all.

        Raises:
            ResourceError: The file exists already, or cannot be written.
        """
        if usable_path(path) == MEMORY or os.path.lexists(path):
            raise ResourceError(f"backup {os.fspath(path)!r} exists already: name a new file")
        self.database.backup(os.path.abspath(path), progress=progress)
