"""Identifiers and times, as the catalogue writes them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from retrovue_uow.store import ids
from retrovue_uow.store.ids import new_id, utc_ago, utc_now


def read(text: str) -> datetime:
    assert text.endswith("Z")  # which `strptime` takes in either case
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def test_an_identifier_is_a_uuid_of_version_7_that_begins_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    before = time.time_ns() // 1_000_000
    identifier = uuid.UUID(new_id())

    assert (identifier.version, identifier.variant) == (7, uuid.RFC_4122)
    assert before <= identifier.int >> 80 <= time.time_ns() // 1_000_000


def test_identifiers_are_in_order_even_while_the_clock_stands_still_or_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    made = [new_id() for _ in range(10_000)]
    monkeypatch.setattr(time, "time_ns", lambda: now - 10**12)
    made += [new_id() for _ in range(10)]

    assert made == sorted(set(made))
    assert {uuid.UUID(each).version for each in made} == {7}


def test_every_bit_after_the_time_and_the_version_is_random() -> None:
    mask = (1 << 62) - 1
    made = [uuid.UUID(new_id()).int & mask for _ in range(200)]

    ever = always = made[0]
    for each in made:
        ever |= each
        always &= each

    assert (ever, always) == (mask, 0)


def test_within_a_millisecond_the_finer_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    fractions = list[int]()
    for ns in (0, 250_000, 500_000, 999_999):
        monkeypatch.setattr(time, "time_ns", partial(int, 1_700_000_000_000_000_000 + ns))
        identifier = uuid.UUID(new_id()).int
        fractions.append(identifier >> 64 & 0xFFF)
        assert identifier >> 80 == 1_700_000_000_000

    assert fractions == [0, 1024, 2048, 4095]


def test_now_is_told_in_utc_with_microseconds() -> None:
    before = datetime.now(UTC)

    assert before <= read(utc_now()) <= datetime.now(UTC)


def test_a_time_ago_is_earlier_by_so_much() -> None:
    before = datetime.now(UTC)

    assert before <= read(utc_ago(timedelta(days=2))) + timedelta(days=2) <= datetime.now(UTC)
