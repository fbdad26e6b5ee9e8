"""One APSW connection, opened as a catalogue needs it, and its errors in the library's words."""

from __future__ import annotations

import errno
import os
import stat
import time
from itertools import count
from urllib.parse import quote

import apsw

from retrovue_uow.errors import (
    ConstraintError,
    ContractError,
    ResourceError,
    RetroVueError,
    ValidationError,
    in_working_folder,
)
from retrovue_uow.uow.owner import is_inherited

MEMORY = ":memory:"
SQLITE_HEADER = b"SQLite format 3\x00"
_HEADER_SIZE = 100  # https://www.sqlite.org/fileformat.html#the_database_header

_DAMAGED = "is damaged: restore a backup, or save what can be read (docs/how-to.md)"
_LONGEST = 300
"""Characters of an error of SQLite's, which may quote all that is left of a damaged schema."""
_RESOURCE_ERRORS: dict[type[apsw.Error], str] = {
    apsw.BusyError: "is locked by another process: wait until it is done, or end it",
    apsw.LockedError: "is locked by another connection of this process",
    apsw.FullError: "has no room: free some space on its disk, or in the folder for temporary files (SQLITE_TMPDIR)",
    apsw.IOError: "cannot be read or written: look after its disk",
    apsw.CantOpenError: "cannot be opened: may this user write there, and in the folder for temporary files (SQLITE_TMPDIR)?",
    apsw.ReadOnlyError: "cannot be written: it was opened read-only, or this user may not write it",
    apsw.CorruptError: _DAMAGED,
    apsw.NotADBError: "is not a SQLite database",
    apsw.PermissionsError: "may not be used by this user",
    apsw.NoMemError: "needs more memory than there is",
    apsw.TooBigError: "was given a text or blob that is larger than SQLite allows",
    apsw.InterruptError: "was interrupted",
    apsw.ProtocolError: "cannot be locked: is it on a network drive?",
    apsw.SchemaChangeError: "was changed in shape by another connection: try again",
}
_CONTRACT_ERRORS: dict[type[apsw.Error], str] = {
    apsw.AuthError: "refused: transactions and settings belong to the unit of work, not to its body",
    apsw.ConnectionClosedError: "the database is closed: open it again",
    apsw.ThreadingViolationError: "the database is in use by another thread: open one for each",
    apsw.SQLError: "SQLite cannot run this",
    apsw.BindingsError: "the statement and its values do not fit",
    apsw.MisuseError: "the database was misused",
    apsw.RangeError: "the statement has no such value",
    apsw.ExecutionCompleteError: "the statement has no more rows",
}


Untranslated = apsw.Error | UnicodeError | OverflowError | TypeError
"""What APSW raises: its own errors, and Python's where a value cannot be bound or read."""


def translated(error: Untranslated, name: str) -> RetroVueError:
    """What `error`, raised by APSW for the database called `name`, is in the library's own family."""
    if not isinstance(error, apsw.Error):
        return _unbindable(error, name)
    extended = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.ConstraintError):
        if extended == apsw.SQLITE_CONSTRAINT_COMMITHOOK:
            return ContractError("written outside a unit of work, nothing of it remains: open one with `session()`")
        return ConstraintError(f"SQLite refused a row: {error}")
    # "Busy" may mean a cursor left half-read on this very connection, where waiting cannot help.
    is_ours = "statements in progress" in str(error) or extended == apsw.SQLITE_BUSY_SNAPSHOT
    if isinstance(error, apsw.BusyError) and is_ours:
        return ContractError(f"a half-read cursor or open blob on this very connection is in the way: close it ({error})")
    for kind, meaning in _CONTRACT_ERRORS.items():
        if isinstance(error, kind):
            return ContractError(f"{meaning} ({error})")
    told = "" if str(error) == "not an error" else f" ({str(error)[:_LONGEST]})"  # as a backup says of each that it meets
    return ResourceError(f"database {name!r} {_advice(error)}{told}")


def _advice(error: apsw.Error) -> str:
    if isinstance(error, apsw.CantOpenError) and _may_open_no_more():
        return "cannot be opened: this process has too many files open; close some, or raise the limit (ulimit -n)"
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_GETTEMPPATH:
        return "finds no folder for temporary files: name one in SQLITE_TMPDIR"
    return next((advice for kind, advice in _RESOURCE_ERRORS.items() if isinstance(error, kind)), "failed")


def _may_open_no_more() -> bool:
    """Whether fewer files can be opened than SQLite needs for a database: it tells nobody that this was the reason."""
    opened: list[int] = []
    try:
        for _ in range(2):
            opened += os.pipe()
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for number in opened:
            os.close(number)
    return False


def _unbindable(error: UnicodeError | OverflowError | TypeError, name: str) -> RetroVueError:
    if isinstance(error, UnicodeEncodeError):
        return ValidationError(f"text {error.object!r} cannot be stored: it is not valid Unicode")
    if isinstance(error, UnicodeError):
        return ResourceError(f"database {name!r} holds text that is not UTF-8, so it {_DAMAGED}")
    if isinstance(error, OverflowError):
        return ValidationError(f"a number is too large for SQLite, which has 64 bits ({error})")
    return ContractError(f"SQLite cannot take this value: {error}")


def usable_path(path: str | os.PathLike[str]) -> str:
    """`path` as text, every link followed: two names of one file are one catalogue, with one queue and one set of claims.

    Raises:
        ResourceError: No file can have that name, its working folder is gone, or the parent of this forked process had it open.
    """
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ResourceError(f"{text!r} is no name of a file: give the path of the catalogue as text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ResourceError(f"path {text!r} is not UTF-8: name the catalogue otherwise") from error
    if text == MEMORY:
        return text
    with in_working_folder(text):
        resolved = os.path.realpath(text)
    if is_inherited(resolved):
        raise ResourceError(
            f"catalogue {text!r} was in use in the parent process when this one was forked, and SQLite cannot keep the two "
            "apart: end its units of work before you fork, or start processes by spawn"
        )
    return resolved


class BusyWait:
    """A busy handler in Python, so that Ctrl-C is answered while SQLite waits for another writer."""

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_s = timeout_ms / 1000
        self._deadline = 0.0

    def __call__(self, tries: int) -> bool:
        """Sleep a little and say whether to try again."""
        now = time.monotonic()
        if tries == 0:
            self._deadline = now + self.timeout_s
        if now >= self._deadline:
            return False
        time.sleep(min(0.001 * (tries + 1), 0.02, self._deadline - now))
        return True


def file_identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what is at `path`; None where nothing is."""
    found = _status(path)
    return None if found is None else (found.st_dev, found.st_ino)


def mode_beside(catalog: str) -> int:
    """The permissions of what is made beside a catalogue: those of the file itself, as SQLite gives them to its log."""
    try:
        return stat.S_IMODE(os.stat(catalog).st_mode) & 0o666
    except FileNotFoundError:
        return 0o600


def open_beside(catalog: str, path: str, flags: int) -> int:
    """A descriptor of a file beside a catalogue, made with the catalogue's permissions and owner if it is not there.

    A link is not followed, for it may lead to somebody's file, and a FIFO keeps nobody waiting for its other end.
    """
    flags |= os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)  # it is there nearly always
    except FileNotFoundError:
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return open_beside(catalog, path, flags)  # another process has made it meanwhile
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link and no regular file: move it away", path) from error
        raise
    else:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file: move it away", path)
        return descriptor
    make_as_private(catalog, descriptor)
    return descriptor


def make_as_private(catalog: str, file: str | int) -> None:
    """Give a file, by its path or descriptor, the permissions and, for root, the owner of the catalogue."""
    os.chmod(file, mode_beside(catalog))
    if os.geteuid() == 0 and os.path.exists(catalog):
        owner = os.stat(catalog)
        os.chown(file, owner.st_uid, owner.st_gid)


def frozen_state(path: str) -> tuple[int, int, int] | None:
    """Inode, size and mtime of a file that nobody writes: it lies on a read-only file system, and no log beside it.

    None: it may be written. What is read-only for us alone, such as a folder lent to a container, others may write: then it
    is another state, or none, afterwards.
    """
    try:
        if path == MEMORY or not _is_on_read_only_file_system(path) or has_log(path):
            return None
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_on_read_only_file_system(path: str) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def as_it_lies(path: str) -> apsw.Connection:
    """A file without a log, read without a lock and without any file beside it: for what nobody writes meanwhile."""
    uri = f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1"
    return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def open_connection(path: str, *, busy: BusyWait, read_only: bool, immutable: bool = False) -> apsw.Connection:
    """A connection with every setting asserted. Raises `ResourceError` that says why, and changes no foreign file."""
    if path != MEMORY:
        _judge_file(path, read_only=read_only)
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    try:
        connection = as_it_lies(path) if immutable else apsw.Connection(path, flags=flags)
    except apsw.Error as error:
        raise cannot_open(error, path) from error
    try:
        connection.set_busy_handler(busy)
        _configure(connection, path, busy=busy, read_only=read_only)
    except BaseException as error:
        # Before the files are closed: whether there are too many must still be seen.
        refusal = cannot_open(error, path) if isinstance(error, apsw.Error) else None
        connection.close()
        if refusal is not None:
            raise refusal from error
        raise
    return connection


def cannot_open(error: apsw.Error, path: str) -> RetroVueError:
    """`error`, raised at opening, in the library's words: SQLite says the same of the files that it needs beside this one."""
    if isinstance(error, apsw.SQLError):  # no statement of a user's has run yet: the file is what SQLite cannot make out
        return ResourceError(f"database {path!r} {_DAMAGED} ({str(error)[:_LONGEST]})")
    reason = None
    if path != MEMORY and isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError) and not _may_open_no_more():
        reason = _lack_beside(path)
    return ResourceError(f"catalogue {path!r} cannot be opened: {reason} ({error})") if reason else translated(error, path)


def _lack_beside(path: str) -> str | None:
    """Why SQLite cannot have its side files, which it needs even to read (https://www.sqlite.org/wal.html#readonly)."""
    folder = os.path.dirname(path)
    for side_file in (f"{path}-wal", f"{path}-shm"):
        if os.path.exists(side_file) and not os.access(side_file, os.R_OK):
            return f"SQLite needs {side_file!r}, which this user may not read: give it the permissions of the catalogue"
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    if _is_on_read_only_file_system(path):
        return (
            "it lies on a read-only file system, and the log beside it holds what was written last: copy both into a folder "
            "that can be written, and open the copy"
        )
    return (
        f"SQLite must make its log beside it, even to read, and this user may not write in folder {folder!r}: let the user "
        "write there, or open a backup elsewhere"
    )


def _judge_file(path: str, *, read_only: bool) -> None:
    """SQLite's own "unable to open database file" covers five situations; tell them apart first."""
    for side_file in (f"{path}-journal", f"{path}-wal", f"{path}-shm"):
        # For what a FIFO in the place of its journal has to say, SQLite would wait for ever.
        found = _status(side_file)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise ResourceError(f"{side_file!r} is no regular file, and SQLite needs that name: move it away")
    try:
        _judge_content(path, os.stat(path), read_only=read_only)
    except (FileNotFoundError, NotADirectoryError) as error:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise ResourceError(f"folder {folder!r} of the catalogue does not exist: create it first") from error
        if read_only:
            raise ResourceError(f"catalogue {path!r} does not exist: open it once for writing to create it") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ResourceError(
                f"folder {folder!r} may not be written by this user: no catalogue can be created there"
            ) from error
    except OSError as error:
        raise ResourceError(f"catalogue {path!r} cannot be looked at: {error.strerror}") from error


def read_header(path: str) -> bytes:
    """The first bytes of a file, as many as it has of SQLite's header.

    Read through SQLite: whoever opens and closes a database in another way drops the locks that this process has on it
    (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    """
    if not os.access(path, os.R_OK):
        raise ResourceError(f"catalogue {path!r} may not be read by this user")
    try:
        file = apsw.VFSFile("", path, [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
        try:
            return file.xRead(min(_HEADER_SIZE, file.xFileSize()), 0)
        finally:
            file.xClose()
    except apsw.Error as error:
        raise translated(error, path) from error


def has_log(path: str) -> bool:
    """Whether SQLite has a log beside the file from which it may have to mend it, the header included."""
    found = (_status(f"{path}-wal"), _status(f"{path}-journal"))
    return any(log is not None and stat.S_ISREG(log.st_mode) and log.st_size > 0 for log in found)


def _status(side_file: str) -> os.stat_result | None:
    """One look at a side file, since another process that opens the catalogue may remove it between two; None: not there."""
    try:
        return os.stat(side_file)
    except OSError:  # what cannot be looked at, SQLite cannot open: it says so
        return None


def _judge_content(path: str, found: os.stat_result, *, read_only: bool) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ResourceError(f"catalogue {path!r} is a folder: name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise ResourceError(f"catalogue {path!r} is no regular file: name another one")
    if not has_log(path):  # else a power cut may have torn the header: SQLite itself says whether it can be mended
        header = read_header(path)
        if (found.st_size or header) and not header.startswith(SQLITE_HEADER):
            raise ResourceError(f"{path!r} is not a SQLite database: name another file for the catalogue")
    if not read_only and _is_on_read_only_file_system(path):
        raise ResourceError(f"catalogue {path!r} lies on a read-only file system: open it read-only")
    if not read_only and not os.access(path, os.W_OK):
        raise ResourceError(f"catalogue {path!r} may not be written by this user: open it read-only")


_OPTIONS = {
    "double-quoted strings in statements": (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    "double-quoted strings in the schema": (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    "foreign keys": (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1),
    "trusted schema": (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    "defensive mode": (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    # Without it, builds with STAT4 prepare a statement again whenever a parameter is bound that its plan might depend on.
    "stable query plans": (apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1),
}


_CACHE_KIB = 32 * 1024
"""So that the rows of a large collection, and the indexes that they are found by, fit while they are written and judged."""


_LOG_BYTES = 8 * 2**20
"""To which the log shrinks once a reader that was held has let it be checkpointed: twice what it usually grows to."""


def _pragmas(path: str, *, read_only: bool) -> dict[str, object]:
    settings: dict[str, object] = {
        "cache_size": -_CACHE_KIB,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "synchronous": 2,
        # In memory (2), each RELEASE below an open savepoint walks a list as long as the unit: a session would be quadratic.
        "temp_store": 1,
        "trusted_schema": 0,
    }
    if not read_only:
        settings["journal_mode"] = "memory" if path == MEMORY else "wal"
        settings["journal_size_limit"] = _LOG_BYTES
    return settings


def _configure(connection: apsw.Connection, path: str, *, busy: BusyWait, read_only: bool) -> None:
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # NOTADB and CANTOPEN show here, not at opening
    for option, number in _OPTIONS.values():
        connection.config(option, number)
    for pragma, value in _pragmas(path, read_only=read_only).items():
        _set(connection, pragma, value, busy)
    for name, wanted, actual in wrong_settings(connection, path, read_only=read_only):
        raise ResourceError(f"database {path!r}: setting {name!r} is {actual!r} and cannot be set to {wanted!r}")


def _set(connection: apsw.Connection, pragma: str, value: object, busy: BusyWait) -> None:
    """Set a pragma, waiting for who holds the file: SQLite asks no busy handler where the journal's mode changes."""
    for tries in count():
        try:
            connection.execute(f"PRAGMA {pragma} = {value}").fetchall()  # an unread row would leave the next one unset
        except apsw.BusyError:
            if not busy(tries):
                raise
        else:
            return


def wrong_settings(connection: apsw.Connection, path: str, *, read_only: bool) -> list[tuple[str, object, object]]:
    """The settings that are not what they must be: name, what it must be, what it is."""
    actual: dict[str, object] = {name: connection.config(option, -1) for name, (option, _) in _OPTIONS.items()}
    wanted: dict[str, object] = {name: value for name, (_, value) in _OPTIONS.items()}
    for name, value in _pragmas(path, read_only=read_only).items():
        wanted[name] = value
        actual[name] = connection.execute(f"PRAGMA {name}").fetchall()[0][0]
    return [(name, value, actual[name]) for name, value in wanted.items() if actual[name] != value]
