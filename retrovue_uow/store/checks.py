"""Rule views and references judge the rows: of the whole catalogue, or the touched ones. No table of the catalogue is written.

Touched are the rows that a changeset changed, those that they refer to, and those that refer to what is gone, or to a path
mapping that changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from functools import cache
from typing import Literal, NamedTuple

import apsw

from retrovue_uow.errors import RetroVueError, ValidationError, Violation, some
from retrovue_uow.model import TitleKind
from retrovue_uow.store import extensions
from retrovue_uow.store.journal import JOURNAL_TABLES
from retrovue_uow.uow.changes import Changeset, Key
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.tables import Reference, holding, quoted

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS touched (
    subject TEXT NOT NULL,                                          -- table
    id      ANY NOT NULL,                                           -- primary key of the row
    PRIMARY KEY (subject, id)
) STRICT, WITHOUT ROWID
"""
_TOUCHED = "{} WHERE subject = ?1 AND id IN (SELECT id FROM temp.touched WHERE subject = ?1)"
_COMPARED = ("title_spelling",)
"""Small tables whose rows a rule holds against each other: where one of them changed or went, all are looked at."""
_SHAPING = ("path_mapping",)
"""Tables by whose rows a rule judges those that refer to them: where one of them changed, all of those are looked at."""
MANY = 100
"""Touched rows of a table, from which on it is worth a statement to find out whether they can be handled all at once."""
REFERENCES = "foreign_key"
"""The rule, no view, that every reference points at a row."""
RULE_LIMIT_S = 60.0
"""How long a rule of an extension may take, for which its author answers."""


class CheckScope(NamedTuple):
    """Which rows the rules look at, and which rules have looked.

    Attributes:
        subjects: The tables that have rows in `temp.touched`.
        judged: Names of the rule views that were asked about all of those rows.
        extended: The rules of extensions that read a changed table. They are asked about every row: what changed may break a
            rule far from it, and nobody can tell by looking at the rule.
    """

    subjects: Collection[str]
    judged: set[str]
    extended: Collection[str] = ()

    @property
    def has_judged_all(self) -> bool:
        """Whether every rule was among those that have looked."""
        return REFERENCES in self.judged and (
            "violation" in self.judged or self.judged >= {*extensions.own().rules, *self.extended}
        )


@contextmanager
def narrowed(db: Database, changeset: Changeset, extended: Mapping[str, Set[str]] = {}) -> Iterator[CheckScope]:
    """Within the block the rules look at the rows that `changeset` touches.

    Args:
        extended: The rules of extensions, each with the tables that it reads.
    """
    changed = {table for table, keys in changeset.keys.changed.items() if any(keys.values())}
    same = changeset.shape.keys.keys() - changed
    db.scope = scope = CheckScope(
        touch(db, changeset), set(), [rule for rule, tables in extended.items() if not tables <= same]
    )
    try:
        yield scope
    finally:
        db.scope = None


def violations(db: Database, rules: Collection[str] = ("violation",)) -> list[Violation]:
    """The rows that break one of `rules`, or any rule: those of them that were touched, where the rules are narrowed."""
    scope = db.scope
    if not isinstance(scope, CheckScope):
        return all_violations(db, rules)
    found = _of_extensions(db, [each for each in scope.extended if each in rules or "violation" in rules])
    own = [each for each in rules if each not in scope.extended]
    for subject in scope.subjects:
        found += _violations(db, own, _TOUCHED, subject)
    scope.judged.update(rules)
    return found


def all_violations(db: Database, rules: Collection[str] = ("violation",)) -> list[Violation]:
    """The rows that break any rule, in the whole catalogue."""
    extended = [each for each in extensions.rules(db) if each in rules or "violation" in rules]
    own = [each for each in rules if each not in extended]
    return [*_violations(db, own, "{}"), *_of_extensions(db, extended)]


def asset_violations(db: Database, rules: Collection[str], asset_id: str) -> list[Violation]:
    """The violations of one asset, served by its key."""
    return _violations(db, rules, "{} WHERE subject = 'asset' AND id = ?", asset_id)


def _violations(db: Database, rules: Collection[str], rows_of: str, *params: str) -> list[Violation]:
    """The rows that break rules of the catalogue's own; `violation` stands for all of these."""
    found: list[Violation] = []
    for rule in rules:
        view = f"({extensions.united(extensions.own().rules)})" if rule == "violation" else f"main.{rule}"
        rows = db.execute(f"SELECT rule, subject, id, detail FROM {rows_of.format(view)}", params)  # noqa: S608  names, not input
        found.extend(Violation(*map(str, row)) for row in rows)
    return found


def whose(rule: str) -> str:
    """What a message says of a rule that is an extension's."""
    is_own = rule == REFERENCES or rule in extensions.own().rules
    return "" if is_own else f" (rule {rule!r} of extension {extensions.of(rule)!r})"


def _of_extensions(db: Database, rules: Iterable[str]) -> list[Violation]:
    """The rows that break rules of extensions, and the rules that cannot judge: those fail, or take too long."""
    found: list[Violation] = []
    for rule in rules:
        try:
            with db.interrupted_after(RULE_LIMIT_S):
                rows = db.execute(f"SELECT subject, id, detail FROM main.{rule}")  # noqa: S608  names, not input
        except RetroVueError as error:
            if not isinstance(error.__cause__, apsw.SQLError | apsw.InterruptError):
                raise
            is_late = isinstance(error.__cause__, apsw.InterruptError)
            reason = f"it takes longer than {RULE_LIMIT_S:g} s" if is_late else str(error)
            rows = [("view", rule, f"a rule cannot judge: {reason}")]
        found.extend(Violation(rule, *map(str, row)) for row in rows)
    return found


def broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing: those of them that were touched, where the rules are narrowed.

    SQLite's own count of what a unit has broken is no answer once a changeset was applied, which resets it.
    """
    if not isinstance(db.scope, CheckScope):
        return all_broken_references(db)
    db.scope.judged.add(REFERENCES)
    if db.has_enforced_references:
        return []
    return _broken_references(db, db.scope.subjects, only_touched=True)


def all_broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing, in the whole catalogue."""
    shape = db.shape
    found = [
        _broken(table, row, parent)
        for table, row, parent in db.execute('SELECT "table", rowid, parent FROM pragma_foreign_key_check')
        if table in (*JOURNAL_TABLES, *shape.unkeyed)  # named by their row numbers, as far as they have any
    ]
    return found + _broken_references(db, shape.keys, only_touched=False)


@contextmanager
def keeping_references(db: Database) -> Iterator[None]:
    """A block that must leave no other reference broken than there was. Raises `ValidationError`, naming the rows."""
    before = all_broken_references(db)
    yield
    found = [each for each in all_broken_references(db) if each not in before]
    if found:
        listed = some([each.detail for each in found])
        raise ValidationError(f"a migration must leave no reference broken, so nothing was changed: {listed}", violations=found)


def _broken_references(db: Database, tables: Collection[str], *, only_touched: bool) -> list[Violation]:
    shape = db.shape
    found: list[Violation] = []
    for table in shape.keys:
        references = shape.of_child(table)
        if not references or table not in tables:
            continue
        key = quoted(shape.keys[table])
        any_is_broken = " OR ".join(reference.is_broken for reference in references)
        touched = f"AND child.{key} IN (SELECT id FROM temp.touched WHERE subject = ?)" if only_touched else ""  # noqa: S608  likewise
        rows = db.execute(
            f"SELECT child.{key} FROM main.{quoted(table)} AS child WHERE ({any_is_broken}) {touched}",  # noqa: S608  the schema's
            (table,) if only_touched else (),
        )
        for (child_key,) in rows:
            found.extend(_broken(table, child_key, parent) for parent, _ in missing_parents(db, table, child_key))
    return found


def missing_parents(db: Database, table: str, key: Key) -> list[tuple[str, Key]]:
    """The rows that a row refers to and that are not there: their table and key, or the first of the columns referred to."""
    shape = db.shape
    found: list[tuple[str, Key]] = []
    for reference in shape.of_child(table):
        rows = db.execute(
            f"""
            SELECT child.{quoted(reference.column)}
              FROM main.{quoted(table)} AS child
             WHERE child.{quoted(shape.keys[table])} = ?
               AND {reference.is_broken}
            """,  # noqa: S608  the names are the schema's
            (key,),
        )
        found.extend((reference.parent, parent_key) for (parent_key,) in rows)
    return found


def _broken(table: str, key: Key | None, parent: str) -> Violation:
    shown = key.hex() if isinstance(key, bytes) else key
    detail = f"row {shown} of {table} refers to a row of {parent} that is not there"
    return Violation(REFERENCES, table, str(shown), detail)


def touch(db: Database, changeset: Changeset) -> list[str]:
    """Put the rows that `changeset` touches, and that are there, into `temp.touched` in place of others.

    A table of which half was touched is looked at whole first, which takes a third of the time: if all of it is sound, nobody
    will ask which rows were touched.

    Returns:
        The tables that have rows there.
    """
    db.execute(_TABLE)
    db.execute("DELETE FROM temp.touched")
    keys, shape = changeset.keys, changeset.shape
    searches = not db.has_enforced_references
    near = {table: keys.parents[table].difference(*keys.changed[table].values()) for table in shape.keys}
    there = {table: keys.changed[table]["INSERT"] + keys.changed[table]["UPDATE"] for table in shape.keys}
    sound = [each for each in shape.keys if not searches and _is_sound(db, each, len(there[each]) + len(near[each]))]
    for table in shape.keys.keys() - sound:
        _add_changed(db, table, quoted(shape.keys[table]), there[table])
        _add(db, "SELECT ?2, value FROM {keys}", near[table], table)
    for reference in shape.references:
        _add_related(db, changeset, reference, sound, searches=searches)
    for table in _COMPARED:
        if keys.changed[table]["UPDATE"] or keys.changed[table]["DELETE"]:
            _add(db, f"SELECT ?, id FROM {table}", None, table)  # noqa: S608  the names are those above
    return [table for (table,) in db.execute("SELECT DISTINCT subject FROM temp.touched")]


@cache
def _has_rules(own: extensions.Schema, table: str, about: str = "") -> bool:
    """Whether a rule of the catalogue's own can have rows of the table as its subject, and look at those of another one."""
    return any(f"'{table}'" in rule and about in rule for rule in own.rules.values())


def _is_sound(db: Database, table: str, touched: int) -> bool:
    """Whether no row of a table breaks a rule, as far as so many touched ones make it worthwhile to look at all of them."""
    if not _has_rules(extensions.own(), table):
        return True
    up_to = f"SELECT count(*) FROM (SELECT 1 FROM main.{quoted(table)} LIMIT ?)"  # noqa: S608  the names are the schema's
    is_half = touched > MANY and db.execute(up_to, (2 * touched + 1,))[0][0] <= 2 * touched
    return is_half and not _violations(db, ("violation",), "{} WHERE subject = ?", table)


def _add_changed(db: Database, table: str, key: str, changed: list[Key]) -> None:
    """Add changed rows by the range of their keys: where it has as many rows as were changed, there is no other one in it."""
    if len(changed) > MANY and {*map(type, changed)} in ({int}, {str}):
        ends = min(changed), max(changed)
        of_range = f"FROM main.{quoted(table)} WHERE {key} COLLATE BINARY BETWEEN ? AND ?"
        ((count,),) = db.execute(f"SELECT count(*) FROM (SELECT 1 {of_range} LIMIT ?)", (*ends, len(changed) + 1))  # noqa: S608  the schema's
        if count == len(changed):
            _add(db, f"SELECT ?, {key} {of_range}", None, table, *ends)
            return
    _add(db, "SELECT ?2, value FROM {keys}", changed, table)


def _add_related(db: Database, changeset: Changeset, reference: Reference, sound: Collection[str], *, searches: bool) -> None:
    """Add the rows on either side of a reference that the keys of changed rows do not show.

    Args:
        sound: Tables in which no row breaks a rule.
        searches: Whether references may be broken; else nothing refers to what is gone.
    """
    shape, changed = changeset.shape, changeset.keys.changed
    child, own_key, column = map(quoted, (reference.child, shape.keys[reference.child], reference.column))
    if not reference.is_to_key:
        if changed[reference.parent]["UPDATE"] or changed[reference.parent]["DELETE"]:
            broken = f"SELECT ?, child.{own_key} FROM {child} AS child WHERE {reference.is_broken}"  # noqa: S608  the schema's
            _add(db, broken, None, reference.child)
        return
    if reference.parent not in sound and _has_rules(extensions.own(), reference.parent, about=reference.child):
        # an update that leaves a reference as it was does not show it, but the parent may mind the update
        parents = f"""
            SELECT DISTINCT ?2, child.{column}
              FROM {{keys}} AS changed
              JOIN {child} AS child ON child.{own_key} = changed.value
             WHERE child.{column} IS NOT NULL
            """  # noqa: S608  the names are the schema's
        _add(db, parents, changed[reference.child]["UPDATE"], reference.parent)
    children = f"SELECT ?2, child.{own_key} FROM {{keys}} AS parent JOIN {child} AS child ON child.{column} = parent.value"  # noqa: S608
    if searches:
        _add(db, children, changed[reference.parent]["DELETE"], reference.child)
    if reference.parent in _SHAPING and reference.child not in sound:
        _add(db, children, changed[reference.parent]["UPDATE"], reference.child)


def _add(db: Database, rows: str, keys: Collection[Key] | None, *params: Key) -> None:
    """Add to `temp.touched` what `rows` selects, where `{keys}` stands for the keys: all at once, where JSON has such keys."""
    insert = f"INSERT OR IGNORE INTO temp.touched (subject, id) {rows}"
    if keys is None:
        db.execute(insert, params)
    elif keys and {*map(type, keys)} <= {str, int}:
        db.execute(insert.replace("{keys}", "json_each(?1)"), (json.dumps(list(keys)), *params))
    else:
        db.executemany(insert.replace("{keys}", "(SELECT ?1 AS value)"), [(key, *params) for key in keys])


def above(db: Database, changeset: Changeset, table: str) -> set[Key]:
    """The keys of the rows of `table` that changed, or that a changed row is below, through however many references."""
    shape, changed = changeset.shape, changeset.keys
    keys = {subject: changed.parents[subject].union(changed.changed[subject]["UPDATE"]) for subject in shape.keys}
    for child in shape.keys:  # children come before their parents
        # those that were added or deleted show all that they refer to
        asked = keys[child].difference(changed.changed[child]["INSERT"], changed.changed[child]["DELETE"])
        for reference in shape.of_child(child):
            if reference.is_to_key and table in shape.ancestors(reference.parent):
                column, own_key = quoted(reference.column), quoted(shape.keys[child])
                parent = f"SELECT {column} FROM {quoted(child)} WHERE {own_key} = ? AND {column} IS NOT NULL"  # noqa: S608  likewise
                keys[reference.parent].update(row[0] for key in asked for row in db.execute(parent, (key,)))
    return keys[table].union(*changed.changed[table].values())


def foreign_references(db: Database) -> list[Reference]:
    """The references from the station's own tables, if one of them leads to a table of the catalogue."""
    found = [each for each in db.shape.references if each.child not in extensions.own_names()] + [*db.shape.unrecorded]
    return found if any(each.parent in extensions.own_names() for each in found) else []


def held(
    db: Database, going: Mapping[str, Collection[Key]], changing: Mapping[str, Collection[Key]]
) -> dict[Reference, list[tuple[Key | None, Key]]]:
    """Rows of the station's own tables that keep rows from being deleted, by reference: their key, and that of what they keep.

    Args:
        going: The keys of what is to be deleted, by table; titles, seasons and episodes that only its assets hold up go, too.
        changing: The keys of rows that change with it, and of which nobody can say yet what they refer to then.
    """
    found = holding(db.execute, db.shape, foreign_references(db), {**_held_up_by(db, going.get("asset", ())), **going})
    staying = {each: [pair for pair in pairs if pair[0] not in changing.get(each.child, ())] for each, pairs in found.items()}
    return {each: pairs for each, pairs in staying.items() if pairs}


def _held_up_by(db: Database, asset_ids: Collection[Key]) -> dict[str, set[Key]]:
    """The keys of the episodes, seasons and titles that hold nothing up once all of the assets are gone."""
    rows = db.execute(
        """
        WITH going AS MATERIALIZED (SELECT value AS id FROM json_each(?)),
             gone_episode AS MATERIALIZED (
                SELECT episode_id AS id
                  FROM episode_asset
                 WHERE episode_id IN (SELECT episode_id FROM episode_asset WHERE asset_id IN going)
                 GROUP BY episode_id
                HAVING min(asset_id IN going)),
             gone_season AS MATERIALIZED (
                SELECT season_id AS id
                  FROM episode
                 WHERE season_id IN (SELECT season_id FROM episode WHERE id IN gone_episode)
                 GROUP BY season_id
                HAVING min(id IN gone_episode)),
             holder AS (
                SELECT title_id, id IN gone_season AS goes FROM season
                 UNION ALL
                SELECT title_id, asset_id IN going FROM movie_asset)
        SELECT 'episode', id FROM gone_episode
         UNION ALL
        SELECT 'season', id FROM gone_season
         UNION ALL
        SELECT 'title', title_id FROM holder GROUP BY title_id HAVING min(goes)
        """,
        (json.dumps(list(asset_ids)),),
    )
    return {table: {key for each, key in rows if each == table} for table in ("episode", "season", "title")}


def contradicted_titles(db: Database) -> list[tuple[TitleKind, str, str, int | None, str, int | None]]:
    """Titles that go by a name which was given up: kind, identifier, name and year, and the name and year given instead."""
    rows = db.execute(
        """
        SELECT title.kind, title.id, title.name, title.year, title_spelling.name, title_spelling.year
          FROM title_spelling
         CROSS JOIN title ON title.kind = title_spelling.kind
                         AND title.name = title_spelling.spelled
                         AND ifnull(title.year, 0) = ifnull(title_spelling.spelled_year, 0)
         WHERE title_spelling.id IN (SELECT id FROM title_spelling_contradicted WHERE subject = 'title_spelling')
        """
    )
    return [(kind, id_, name, year, new, new_year) for kind, id_, name, year, new, new_year in rows]


def contradicted_assets(db: Database, decision: Literal["assignment", "retirement"]) -> list[str]:
    """Identifiers of the assets that are not what was decided."""
    rows = db.execute(
        f"""
        SELECT asset.id
          FROM {decision}_contradicted AS contradicted
          JOIN {decision} AS decision ON decision.id = contradicted.id
          JOIN asset ON asset.collection_id = decision.collection_id
                    AND asset.canonical_key = decision.canonical_key
         WHERE contradicted.subject = '{decision}'
        """  # noqa: S608  one of the two names above
    )
    return [str(id_) for (id_,) in rows]


def otherwise_approved(db: Database, asset_ids: Iterable[str]) -> list[str]:
    """Those of the assets that are approved and should not be, or the other way round, by what was said of their files."""
    rows = db.execute(
        """
        SELECT asset.id
          FROM json_each(?) AS wanted
          JOIN asset ON asset.id = wanted.value
          JOIN approval ON approval.collection_id = asset.collection_id
                       AND approval.canonical_key = asset.canonical_key
         WHERE EXISTS (SELECT 1 FROM approval)
           AND asset.approved <> (approval.approved
                                  AND approval.size IS asset.size
                                  AND approval.duration_ms IS asset.duration_ms
                                  AND (asset.approved OR approval.mtime_ns IS asset.mtime_ns)
                                  AND asset.state = 'ready')
        """,
        (json.dumps(list(asset_ids)),),
    )
    return [str(id_) for (id_,) in rows]
