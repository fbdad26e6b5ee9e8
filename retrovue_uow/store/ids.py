"""Identifiers, times and JSON, as the catalogue writes them."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Literal, TypeVar

from retrovue_uow.errors import ResourceError, ValidationError, some
from retrovue_uow.uow.database import Database

T = TypeVar("T")

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PART = re.compile("[0-9a-f-]{8,35}", re.IGNORECASE)
_lock = Lock()
_last = 0


def new_id() -> str:
    """A UUID of version 7 as text: ordered by time, and within this process by the order of the calls.

    Source: RFC 9562, section 5.7 and 6.2 (method 3: the random bits after the millisecond replaced by a finer clock).
    """
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
        ticks = _last
    milliseconds, fraction = divmod(ticks, 4096)
    high = (milliseconds << 16) | (7 << 12) | fraction
    low = (0b10 << 62) | (int.from_bytes(os.urandom(8)) >> 2)
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def as_stored(identifier: str) -> str:
    """An identifier that somebody typed: those of the catalogue are UUIDs in lower case. Other text is left as it is."""
    return identifier.lower() if isinstance(identifier, str) and _UUID.fullmatch(identifier) else identifier


def whole_id(db: Database, table: Literal["asset", "unit_of_work"], typed: str) -> str:
    """The identifier that is meant by all of it, or by the 8 or more characters with which it alone begins or ends.

    Identifiers are ordered by time: those of one ingest begin alike, and their ends tell them apart.

    Raises:
        ValidationError: Several begin or end so.
    """
    if not isinstance(typed, str) or not _PART.fullmatch(typed):
        return as_stored(typed)
    part = typed.lower()
    sql = f"SELECT id FROM {table} WHERE id BETWEEN ? AND ? || 'g' OR substr(id, -length(?)) = ? LIMIT 11"  # noqa: S608  ours
    found = [str(id_) for (id_,) in db.execute(sql, (part,) * 4)]
    if len(found) > 1:
        raise ValidationError(f"several identifiers begin or end with {typed!r}: write more of {some(found, between=', ')}")
    return found[0] if found else typed


def utc_now() -> str:
    """The time as UTC text with microseconds, e.g. `2026-01-31T09:05:07.123456Z`."""
    return utc_ago(timedelta(0))


def utc_ago(age: timedelta) -> str:
    """The time so long ago, in the same form."""
    return (datetime.now(UTC) - age).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_json(text: object, kind: type[T], *, column: str) -> T:
    """The value, of that kind. Raises `ResourceError`, naming the column, where a damaged file holds none."""
    try:
        value: object = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise ResourceError(f"{column} holds no JSON ({error}): the catalogue is damaged, restore a backup") from error
    if not isinstance(value, kind):
        raise ResourceError(f"{column} holds other JSON than it must: the catalogue is damaged, restore a backup")
    return value
