"""Nesting: strict by default, contained on demand, and never a savepoint left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import pytest

from retrovue_uow import ContractError, Database

Names = Callable[[], list[str]]


def add(db: Database, name: str) -> None:
    db.execute("INSERT INTO item (name) VALUES (?)", (name,))


def test_an_exception_undoes_the_unit_and_arrives_untouched(db: Database, names: Names) -> None:
    original = ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught, db.session():
        add(db, "gone")
        raise original

    assert caught.value is original
    assert names() == ["first"]


def test_a_nested_failure_that_is_swallowed_undoes_everything(db: Database, names: Names) -> None:
    original = ValueError("mine")

    with pytest.raises(ContractError, match="swallowed") as caught, db.session():
        add(db, "outer")
        with pytest.raises(ValueError, match="mine"), db.session():
            raise original

    assert caught.value.__cause__ is original
    assert names() == ["first"]


def test_a_contained_failure_undoes_only_itself(db: Database, names: Names) -> None:
    with db.session():
        add(db, "outer")
        with pytest.raises(ValueError, match="mine"), db.session(contain=True):
            add(db, "inner")
            raise ValueError("mine")
        add(db, "later")

    assert names() == ["first", "outer", "later"]


def test_a_failure_swallowed_inside_a_contained_unit_undoes_that_unit(db: Database, names: Names) -> None:
    with db.session():
        with pytest.raises(ContractError, match="swallowed"), db.session(contain=True):
            add(db, "contained")
            with pytest.raises(ValueError, match="deep"), db.session():
                raise ValueError("deep")
        add(db, "outer")

    assert names() == ["first", "outer"]


def test_a_dry_run_is_rolled_back_without_an_error(db: Database, names: Names) -> None:
    with db.session():
        add(db, "dry")
        db.set_rollback_only("a dry run")

    assert names() == ["first"]


def test_a_nested_dry_run_leaves_the_outer_unit_usable(db: Database, names: Names) -> None:
    with db.session():
        with db.session():
            add(db, "dry")
            db.set_rollback_only("a dry run")
        add(db, "wet")

    assert names() == ["first", "wet"]


def test_a_durable_unit_insists_on_being_outermost(db: Database, names: Names) -> None:
    with db.session(durable=True):
        add(db, "durable")
        with pytest.raises(ContractError, match="outermost"), db.session(durable=True):
            pytest.fail("nested a durable unit")

    assert names() == ["first", "durable"]


def test_a_unit_is_entered_once(db: Database) -> None:
    unit = db.session()
    with unit, pytest.raises(ContractError, match="entered once"), unit:
        pytest.fail("entered twice")

    with pytest.raises(ContractError, match="entered once"), unit:
        pytest.fail("used again")


def test_units_left_out_of_order_are_rolled_back(db: Database, names: Names, works: Callable[[], None]) -> None:
    outer, inner = db.session(), db.session()
    outer.__enter__()
    add(db, "outer")
    inner.__enter__()

    with pytest.raises(ContractError, match="out of order"):
        outer.__exit__(None, None, None)
    with pytest.raises(ContractError, match="no longer open"):
        inner.__exit__(None, None, None)

    assert names() == ["first"]
    works()


def test_closing_inside_a_unit_is_refused_and_rolled_back(db: Database, names: Names, works: Callable[[], None]) -> None:
    with pytest.raises(ContractError), db.session():
        add(db, "gone")
        with pytest.raises(ContractError, match="closed inside a unit"):
            db.close()

    assert names() == ["first"]
    works()


def test_a_hundred_levels_leave_no_savepoint_behind(db: Database, names: Names) -> None:
    def descend(levels: int) -> None:
        with db.session():
            add(db, f"level {levels}")
            if levels:
                descend(levels - 1)

    descend(100)

    assert len(names()) == 102
    assert not db.connection.in_transaction


def test_ten_thousand_siblings_half_of_which_fail(db: Database, names: Names) -> None:
    with db.session():
        for number in range(10_000):
            try:
                with db.session(contain=True):
                    add(db, str(number))
                    if number % 2:
                        raise ValueError
            except ValueError:
                continue

    assert len(names()) == 5001


def test_a_generator_suspended_in_a_unit_and_closed_rolls_it_back(
    db: Database, names: Names, works: Callable[[], None]
) -> None:
    def writing() -> Generator[None, None, None]:
        with db.session():
            add(db, "suspended")
            yield

    generator = writing()
    next(generator)
    generator.close()

    assert names() == ["first"]
    works()


def test_a_generator_suspended_in_a_unit_and_collected_rolls_it_back(
    db: Database, names: Names, works: Callable[[], None]
) -> None:
    def writing() -> Generator[None, None, None]:
        with db.session():
            add(db, "suspended")
            yield

    generator = writing()
    next(generator)
    del generator

    assert names() == ["first"]
    works()


def test_generators_resumed_out_of_order_are_refused(db: Database, names: Names, works: Callable[[], None]) -> None:
    def writing(name: str) -> Iterator[None]:
        with db.session():
            add(db, name)
            yield

    first, second = writing("one"), writing("two")
    next(first)
    next(second)
    with pytest.raises(ContractError, match="out of order"):
        next(first)
    with pytest.raises(ContractError, match="no longer open"):
        next(second)

    assert names() == ["first"]
    works()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
@pytest.mark.parametrize("depth", [1, 2])
def test_whatever_passes_through_rolls_back(
    db: Database, names: Names, works: Callable[[], None], kind: type[BaseException], depth: int
) -> None:
    with pytest.raises(kind), db.session():
        add(db, "outer")
        if depth == 1:
            raise kind
        with db.session():
            raise kind

    assert names() == ["first"]
    works()


def test_what_was_swallowed_inside_a_contained_unit_is_the_cause(db: Database) -> None:
    failure = ValueError("deep")

    def swallowing() -> None:
        with suppress(ValueError), db.session():
            raise failure

    with db.session():
        with pytest.raises(ContractError, match="swallowed") as caught, db.session(contain=True):
            swallowing()
        assert caught.value.__cause__ is failure


def test_a_savepoint_that_cannot_be_released_undoes_everything_contained_or_not(db: Database, names: Names) -> None:
    def fail_at_release(_: object, sql: str, __: object) -> bool:
        if sql.startswith("RELEASE"):
            raise LookupError("no release")
        return True

    with pytest.raises(ContractError) as caught, db.session():
        add(db, "outer")
        with suppress(LookupError), db.session(contain=True):
            add(db, "inner")
            db.connection.exec_trace = fail_at_release
        db.connection.exec_trace = None

    assert isinstance(caught.value.__cause__, LookupError)
    assert names() == ["first"]


def test_what_a_unit_was_asked_for_holds_where_it_is_entered_inside_another_one(db: Database, names: Names) -> None:
    durable, contained = db.session(durable=True), db.session(contain=True)  # made while nothing was open

    with db.session():
        add(db, "outer")
        with pytest.raises(ContractError, match="outermost"), durable:
            pytest.fail("the body ran")
        with suppress(LookupError), contained:
            add(db, "inner")
            raise LookupError("mine")

    assert names() == ["first", "outer"]


def test_a_dry_run_runs_no_on_commit_hook(db: Database) -> None:
    called: list[str] = []

    with db.session():
        db.on_commit(lambda: called.append("hook"))
        db.set_rollback_only("a dry run")

    assert called == []


def test_a_nested_unit_interrupted_as_it_begins_undoes_everything_though_swallowed(db: Database, names: Names) -> None:
    def interrupt_at_savepoint(_: object, sql: str, __: object) -> bool:
        if sql.startswith("SAVEPOINT"):
            raise KeyboardInterrupt
        return True

    with pytest.raises(ContractError), db.session():
        add(db, "outer")
        db.connection.exec_trace = interrupt_at_savepoint
        with suppress(KeyboardInterrupt), db.session(contain=True):
            pytest.fail("the body ran")
        db.connection.exec_trace = None

    assert names() == ["first"]


def test_entering_a_unit_gives_the_database_outside_and_inside(db: Database) -> None:
    with db.session() as outer, db.session() as inner:
        assert outer is db
        assert inner is db


def test_the_rows_that_a_unit_changes_are_counted_from_its_beginning(db: Database) -> None:
    for _ in range(2):
        with db.session():
            assert db.unit_changes() == 0
            db.execute("INSERT INTO item (name) VALUES (NULL), (NULL)")
            assert db.unit_changes() == 2
