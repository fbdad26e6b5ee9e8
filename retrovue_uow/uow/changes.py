"""What a unit of work changes, row by row, recorded by SQLite's session extension (https://www.sqlite.org/sessionintro.html).

One recording serves the checks, the preview, the journal, undo, and the proof that nothing was written.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import apsw
import attrs

from retrovue_uow.errors import ConstraintError, ResourceError, ValidationError
from retrovue_uow.uow.connection import MEMORY
from retrovue_uow.uow.database import Database, Params
from retrovue_uow.uow.tables import Shape, quoted

HAS_SESSIONS = hasattr(apsw, "Session")
"""Whether the SQLite at hand was built with the session extension."""
NOT_HAD = "this SQLite has no session extension: install apsw from its wheels, which have it"

_DEFLATE_LIMIT = 1032
"""How many times its own size a compressed text can unpack to (https://zlib.net/zlib_tech.html)."""
_LIMIT_BEFORE = 16 * 2**20

Key = str | int | float | bytes
ChangeKind = Literal["insert", "update", "delete"]
ConflictKind = Literal["changed", "gone", "there", "refused"]

_Parent = tuple[int, Callable[[Any], None]]
_KINDS: Mapping[str, ChangeKind] = {"INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}
_REASONS: Mapping[int, ConflictKind] = {
    apsw.SQLITE_CHANGESET_DATA: "changed",
    apsw.SQLITE_CHANGESET_NOTFOUND: "gone",
    apsw.SQLITE_CHANGESET_CONFLICT: "there",
    apsw.SQLITE_CHANGESET_CONSTRAINT: "refused",
}


class ChangedRow(NamedTuple):
    """A row that was changed, as SQLite recorded it.

    Attributes:
        old: Values by column before the change; of an update, only those that changed, and the key. None: it was added.
        new: The same after the change. None: it was deleted.
    """

    table: str
    kind: ChangeKind
    key: Key
    old: Mapping[str, object] | None
    new: Mapping[str, object] | None


class ApplyConflict(NamedTuple):
    """A change that could not be made, and why: its row is `changed`, `gone`, `there` already, or `refused` by SQLite."""

    change: ChangedRow
    kind: ConflictKind


class ChangedKeys:
    """The keys of the rows that a changeset changes.

    Attributes:
        changed: The keys of changed rows by table and by INSERT, UPDATE or DELETE.
        parents: By table, the keys that the old and new values of changed rows refer to.
        misfits: Tables that have another shape now than when it was recorded; their rows are passed over.
        grown: Tables that have more columns now, all of them after those that it has.
    """

    def __init__(self) -> None:
        self.changed: defaultdict[str, defaultdict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
        self.parents: defaultdict[str, set[Key]] = defaultdict(set)
        self.misfits: set[str] = set()
        self.grown: set[str] = set()


@attrs.frozen(repr=False, slots=False)
class Changeset:
    """A changeset in SQLite's own format, and the shape of the tables that it speaks of."""

    content: bytes
    shape: Shape
    _is_inverse: bool = attrs.field(default=False, eq=False)
    _added: dict[str, list[Params]] = attrs.field(factory=dict, init=False, eq=False)

    def __bool__(self) -> bool:
        return bool(self.content)

    def digest(self, unit_id: str) -> str:
        """SHA-256 over the identifier of the unit that recorded it and the uncompressed content, in hexadecimal."""
        import hashlib  # which takes its time to load, and reading needs none

        digest = hashlib.sha256(unit_id.encode())
        digest.update(self.content)
        return digest.hexdigest()

    def raw(self) -> Iterator[apsw.TableChange]:
        """Each change as SQLite gives it, good until the next one is asked for."""
        with _damage_is_told():
            yield from apsw.Changeset.iter(self.content)

    @property
    def counts(self) -> dict[str, dict[ChangeKind, int]]:
        changed = {table: {op: keys for op, keys in ops.items() if keys} for table, ops in self.keys.changed.items()}
        return {table: {_KINDS[op]: len(keys) for op, keys in ops.items()} for table, ops in changed.items() if ops}

    @cached_property
    def keys(self) -> ChangedKeys:
        """The keys, gathered in one walk: there may be hundreds of thousands of changes, and the keys are asked for again."""
        with _damage_is_told():
            return self._walked()

    def _walked(self) -> ChangedKeys:
        found, table, no_change = ChangedKeys(), None, apsw.no_change
        for change in apsw.Changeset.iter(self.content):
            if change.name != table:
                table = change.name
                key_position, changed, parents = self._places(change, found)
                added = self._added.setdefault(table, []) if self._is_inverse else None
            op = change.op
            values = change.new if op == "INSERT" else change.old
            if added is not None and op == "INSERT":
                added.append(values)  # type: ignore[arg-type]  # an insert has new values
            changed[op].append(values[key_position])  # type: ignore[index,arg-type]  # a change has its key, text or integer
            for position, add_parent in parents:
                if (parent := values[position]) is not no_change:  # type: ignore[index]  # likewise
                    add_parent(parent)
                    if op == "UPDATE":  # most leave their references: what is new is not decoded for those
                        add_parent(change.new[position])  # type: ignore[index]  # an update has both
        for keys in found.parents.values():
            keys.discard(None)
        return found

    def _places(self, change: apsw.TableChange, found: ChangedKeys) -> tuple[int, defaultdict[str, list[Key]], list[_Parent]]:
        """Where in the values of a table's changes the key and the references stand, and where `found` gathers them."""
        table = change.name
        columns = self.shape.columns.get(table, ())
        if len(columns) < change.column_count or change.pk_columns != {columns.index(self.shape.keys[table])}:
            found.misfits.add(table)
            return 0, defaultdict(list), []
        if change.column_count < len(columns):
            found.grown.add(table)
        to_keys = [(columns.index(each.column), each.parent) for each in self.shape.of_child(table) if each.is_to_key]
        parents = [(position, found.parents[parent].add) for position, parent in to_keys if position < change.column_count]
        return columns.index(self.shape.keys[table]), found.changed[table], parents

    def rows(self) -> Iterator[ChangedRow]:
        """Each changed row, in the order of the changeset."""
        for change in self.raw():
            yield self._row(change)

    def find(self, table: str, key: Key) -> ChangedRow | None:
        """The change of one row; most changesets that have none are not walked. Raises what `require_fitting` raises."""
        if isinstance(key, str) and key.encode() not in self.content:
            return None
        self.require_fitting()
        position = self.shape.columns[table].index(self.shape.keys[table])
        for change in self.raw():
            if change.name == table and (change.old or change.new)[position] == key:  # type: ignore[index]  # it has one
                return self._row(change)
        return None

    def updated_to(self, table: str, column: str, value: object) -> list[Key]:
        """The keys of the rows of a table in which it changes a column to a value."""
        if not self.keys.changed[table]["UPDATE"]:
            return []
        columns = self.shape.columns[table]
        key, position = columns.index(self.shape.keys[table]), columns.index(column)
        updates = ((change.old, change.new) for change in self.raw() if change.name == table and change.op == "UPDATE")
        return [old[key] for old, new in updates if new[position] == value]  # type: ignore[index,misc]  # an update has both

    def _row(self, change: apsw.TableChange) -> ChangedRow:
        columns = self.shape.columns[change.name]
        position = columns.index(self.shape.keys[change.name])
        old, new = change.old, change.new
        key = (new if old is None else old)[position]  # type: ignore[index]  # a change has at least one of them
        return ChangedRow(
            table=change.name,
            kind=_KINDS[change.op],
            key=key,  # type: ignore[arg-type]  # keys are text or integers
            old=_values(columns, old),
            new=_values(columns, new),
        )

    def inverted(self) -> Changeset:
        """The changeset that undoes this one; rows that it adds are kept, from the walk for its keys to its application."""
        with _damage_is_told():
            return Changeset(apsw.Changeset.invert(self.content), self.shape, is_inverse=True)

    def followed_by(self, *others: Changeset) -> Changeset:
        """All of them, one after the other, as one. Raises `ValidationError` where a table had another shape in between."""
        joined = apsw.ChangesetBuilder()  # type: ignore[no-untyped-call]  # APSW forgot to say that it returns None
        try:
            for each in (self, *others):
                joined.add(each.content)
        except apsw.SchemaChangeError as error:
            raise ValidationError("a table got another shape among the units since: undo the newer ones first") from error
        return Changeset(joined.output(), self.shape)

    def compressed(self) -> bytes:
        """The content as the journal keeps it."""
        return zlib.compress(self.content, level=1)

    def require_fitting(self) -> None:
        """Raise `ValidationError` unless the tables are as they were when it was recorded, but for columns added at their end.

        SQLite passes over changes of tables that do not fit, and reports success; rows that come back have the default values
        in columns that it does not have (https://www.sqlite.org/session/sqlite3changeset_apply.html).
        """
        for table in self.keys.misfits:
            raise ValidationError(f"table {table!r} has another shape now than when the unit was recorded")

    def apply(self, db: Database) -> ApplyConflict | None:
        """Make the changes. The first one that finds its row not as expected is returned, and then nothing is changed.

        References that are broken by it are for the caller to check, unless `db.has_enforced_references`.

        Raises:
            ValidationError: A table has another shape than when the changes were recorded.
        """
        self.require_fitting()
        with db.without_triggers():
            return None if self._insert(db) else self._apply(db)

    def _apply(self, db: Database) -> ApplyConflict | None:
        in_the_way: list[ApplyConflict] = []

        def judge(reason: int, change: apsw.TableChange) -> int:
            if reason == apsw.SQLITE_CHANGESET_FOREIGN_KEY:
                return apsw.SQLITE_CHANGESET_OMIT
            in_the_way.append(ApplyConflict(self._row(change), _REASONS[reason]))
            return apsw.SQLITE_CHANGESET_ABORT

        try:
            db.apply(self.content, judge)
        except apsw.AbortError:
            return in_the_way[0]
        except apsw.Error as error:
            raise db.transaction.refusal(error) from error
        return None

    def _insert(self, db: Database) -> bool:
        """Write the rows of a changeset that only adds some; whether SQLite took them all, and enforced their references.

        By their keys and parents first they take less time than `changeset_apply`, which alone can say what is in the way.
        """
        rows = dict(self._added)
        self._added.clear()
        if not rows or {kind for kinds in self.counts.values() for kind in kinds} != {"insert"}:
            return False
        try:
            with db.session(contain=True):
                for table, key in reversed([*self.shape.keys.items()]):
                    if added := rows.pop(table, None):
                        columns = self.shape.columns[table][: len(added[0])]
                        with suppress(TypeError):  # keys of several types have no order
                            added.sort(key=itemgetter(columns.index(key)))
                        listed, places = ", ".join(map(quoted, columns)), ", ".join("?" * len(columns))
                        db.executemany(f"INSERT INTO main.{quoted(table)} ({listed}) VALUES ({places})", added)  # noqa: S608  the schema's names
        except ConstraintError:
            return False
        return True


@contextmanager
def before(db: Database, changeset: Changeset) -> Iterator[Database]:
    """What was there before the open unit, whose changes are given: to another connection that is what the file holds.

    Memory has no other connection: for the block the changes are taken back.
    """
    if db.path != MEMORY:
        with Database(db.path, read_only=True) as there:
            yield there
        return
    with db.session(contain=True):
        db.set_rollback_only("to see what was there before")
        if changeset.inverted().apply(db) is not None:
            raise ResourceError("what was there before the unit cannot be seen in memory: keep the catalogue in a file")
        yield db


@contextmanager
def _damage_is_told() -> Iterator[None]:
    """SQLite finds damage as it walks on, APSW finds text that is none as a change is read."""
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise ValidationError(f"a record of changes is damaged: {error}") from error


def decompressed(content: bytes, digest: str, size: int | None, shape: Shape, *, unit_id: str) -> Changeset:
    """A changeset of the journal. Raises `ValidationError` if it is not what was written there, of that unit.

    Args:
        size: Bytes that it unpacks to, and more are not unpacked. None: it is from before that was kept, its digest names no
            unit, and it may be 16 MiB or a hundred times as large as it is compressed, which none of ours comes near.
    """
    limit = max(_LIMIT_BEFORE, 100 * len(content)) if size is None else min(size, _DEFLATE_LIMIT * len(content))
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValidationError(f"the journal's record of the unit is damaged ({error}): it cannot be undone") from error
    if not unpacking.eof or len(unpacked) > limit:
        raise ValidationError(
            f"the journal's record of the unit is damaged (it ends early, or unpacks to more than {limit} bytes): it cannot be "
            "undone"
        )
    changeset = Changeset(unpacked, shape)
    if digest != changeset.digest("" if size is None else unit_id):
        raise ValidationError("the journal's record of the unit is not what was written there: it cannot be undone")
    return changeset


def _values(columns: Sequence[str], values: tuple[object, ...] | None) -> Mapping[str, object] | None:
    if values is None:
        return None
    return {column: value for column, value in zip(columns, values, strict=False) if value is not apsw.no_change}


class Recording:
    """Records what changes in the catalogue's own tables, from now until it is closed.

    Raises:
        ResourceError: The SQLite at hand has no session extension.
    """

    def __init__(self, db: Database, shape: Shape) -> None:
        if not HAS_SESSIONS:
            raise ResourceError(NOT_HAD)
        self._db = db
        self._shape = shape
        self._known: Changeset | None = None
        self._session = apsw.Session(db.connection, "main")
        for table in shape.keys:
            self._session.attach(table)

    def apply(self, changeset: Changeset) -> ApplyConflict | None:
        """Apply `changeset`, which then stands for what it has changed, instead of a second recording of it.

        One that does not have every column is recorded anew, so that the records of one version can be joined.
        """
        if changeset.keys.grown or not self._session.is_empty:
            return changeset.apply(self._db)
        self._session.enabled = False
        try:
            conflict = changeset.apply(self._db)
        finally:
            self._session.enabled = True
        if conflict is None:
            self._known = changeset
        return conflict

    def changeset(self) -> Changeset:
        """What has changed so far. Not to be asked for in a read-only block: SQLite sets a savepoint for it."""
        try:
            recorded = Changeset(self._session.changeset(), self._shape)
        except apsw.Error as error:
            raise self._db.transaction.refusal(error) from error
        if self._known is None:
            return recorded
        return self._known.followed_by(recorded) if recorded else self._known

    def close(self) -> None:
        self._session.close()
