"""The pool keeps the drafts' order, names every failure, and outlives what hangs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import attrs
import pytest

from retrovue_uow.errors import BusinessRuleError, ConflictError, Holder, ResourceError, RetroVueError, ValidationError
from retrovue_uow.media.enrichment import Read, ReadyEnricher, enrich_all
from retrovue_uow.model import AssetDraft

Enrich = Callable[[AssetDraft], AssetDraft]


class Scripted:
    """An enricher that does what the test says."""

    def __init__(self, enrich: Enrich) -> None:
        self.enrich = enrich

    def check(self) -> None:
        return


def ready(enrich: Enrich, *, type: str = "scripted", timeout_s: float = 30, identifies: bool = True) -> ReadyEnricher:  # noqa: A002  the contract's word
    return ReadyEnricher(type=type, enricher=Scripted(enrich), timeout_s=timeout_s, identifies=identifies)


def drafts(count: int) -> list[AssetDraft]:
    return [AssetDraft(f"/mnt/{n:05}.mkv", f"/data/{n:05}.mkv", size=n) for n in range(count)]


def titled(draft: AssetDraft) -> AssetDraft:
    return attrs.evolve(draft, title=f"{draft.title or ''}t{draft.size}")


def measured(draft: AssetDraft) -> AssetDraft:
    return attrs.evolve(draft, duration_ms=1000)


def raising(error: BaseException, *numbers: int) -> Enrich:
    def enrich(draft: AssetDraft) -> AssetDraft:
        if not numbers or draft.size in numbers:
            raise error
        return draft

    return enrich


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hanging_at(release: threading.Event) -> Callable[..., Enrich]:
    def make(*numbers: int) -> Enrich:
        def enrich(draft: AssetDraft) -> AssetDraft:
            if draft.size in numbers:
                release.wait()
            return titled(draft)

        return enrich

    return make


def test_results_keep_the_order_of_drafts_and_enrichers() -> None:
    def slow_first(draft: AssetDraft) -> AssetDraft:
        time.sleep(0.02 if draft.size == 0 else 0)
        return titled(draft)

    results = enrich_all(drafts(20), [ready(slow_first), ready(lambda d: attrs.evolve(d, title=f"{d.title}!"))])

    assert [each and each.draft.title for each in results] == [f"t{n}!" for n in range(20)]


def test_without_enrichers_drafts_come_back_as_they_are() -> None:
    assert enrich_all(drafts(3), []) == list(map(Read, drafts(3)))
    assert enrich_all(drafts(3), [], keep=lambda draft: draft.size == 1) == [None, Read(drafts(3)[1]), None]
    assert enrich_all([], [ready(titled)]) == []


def test_keep_is_asked_once_between_the_last_identifying_enricher_and_the_rest() -> None:
    asked: list[tuple[str | None, int | None]] = []

    def keep(draft: AssetDraft) -> bool:
        asked.append((draft.title, draft.duration_ms))
        return draft.size != 1

    seen: list[int | None] = []

    def probing(draft: AssetDraft) -> AssetDraft:
        seen.append(draft.size)
        return measured(draft)

    enrichers = [
        ready(titled),
        ready(lambda draft: draft, identifies=False),
        ready(titled),
        ready(probing, identifies=False),
    ]
    results = enrich_all(drafts(3), enrichers, keep=keep)

    assert sorted(asked) == [("t0t0", None), ("t1t1", None), ("t2t2", None)]
    assert results[1] is None
    assert sorted(n for n in seen if n is not None) == [0, 2]


@pytest.mark.parametrize("identifies", [True, False])
def test_keep_is_asked_where_all_or_none_identify(identifies: bool) -> None:
    results = enrich_all(drafts(3), [ready(titled, identifies=identifies)], keep=lambda draft: draft.size == 2)

    assert [each and each.draft.title for each in results] == [None, None, "t2"]


def test_what_keep_raises_passes_through_untouched() -> None:
    error = LookupError("its own")

    def keep(draft: AssetDraft) -> bool:
        raise error

    with pytest.raises(LookupError) as caught:
        enrich_all(drafts(50), [ready(titled)], keep=keep)
    assert caught.value is error


def test_the_pool_is_bounded() -> None:
    running, most = set(), [0]

    def counting(draft: AssetDraft) -> AssetDraft:
        running.add(threading.get_ident())
        most[0] = max(most[0], len(running))
        time.sleep(0.002)
        running.discard(threading.get_ident())
        return draft

    enrich_all(drafts(30), [ready(counting)], workers=3)

    assert most[0] == 3


def test_threads_are_daemons() -> None:
    daemons: set[bool] = set()

    def noting(draft: AssetDraft) -> AssetDraft:
        daemons.add(threading.current_thread().daemon)
        return draft

    enrich_all(drafts(5), [ready(noting)])

    assert daemons == {True}


def test_progress_is_told_of_every_draft_in_the_callers_thread() -> None:
    told: list[tuple[int, int | None, str]] = []
    threads: set[int] = set()

    def progress(done: int, total: int | None, path: str) -> None:
        told.append((done, total, path))
        threads.add(threading.get_ident())

    enrich_all(drafts(40), [ready(titled)], progress=progress)

    assert [(done, total) for done, total, _ in told] == [(n, 40) for n in range(1, 41)]
    assert sorted(path for *_, path in told) == [draft.file_path for draft in drafts(40)]
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("error", [ValueError("enough"), KeyboardInterrupt()])
def test_what_progress_raises_passes_through_and_stops_the_work(error: BaseException) -> None:
    begun: list[str] = []

    def slow(draft: AssetDraft) -> AssetDraft:
        begun.append(draft.file_path)
        time.sleep(0.005)
        return draft

    def progress(done: int, total: int | None, path: str) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        enrich_all(drafts(500), [ready(slow)], progress=progress)
    stopped_at = len(begun)
    time.sleep(0.05)

    assert caught.value is error
    assert len(begun) <= stopped_at + 8
    assert len(begun) < 500


class Stoppable(Scripted):
    """An enricher whose calls last until it is stopped, and then fail; the drafts after the first `quick` ones hang."""

    def __init__(self, *, quick: int) -> None:
        self.stopped = threading.Event()
        super().__init__(lambda draft: draft if (draft.size or 0) < quick else self._hang(draft))

    def _hang(self, draft: AssetDraft) -> AssetDraft:
        if self.stopped.wait(30):
            raise ResourceError(f"{draft.file_path!r} was not read: stopped")
        return draft

    def stop(self) -> None:
        self.stopped.set()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), OSError("of the caller")], ids=repr)
def test_enrichers_that_can_stop_are_stopped_however_enrichment_is_left(error: BaseException) -> None:
    enricher = Stoppable(quick=1)

    def progress(done: int, total: int | None, path: str) -> None:
        raise error

    with pytest.raises(type(error)):
        enrich_all(drafts(4), [ReadyEnricher("s", enricher, 30, identifies=False)], workers=2, progress=progress)

    assert enricher.stopped.is_set()


def test_what_fails_because_it_is_stopped_is_not_among_the_failures() -> None:
    enricher = Stoppable(quick=2)
    failing = ready(raising(ResourceError("/mnt/00001.mkv is broken"), 1), type="failing")

    with pytest.raises(ResourceError, match="broken"):
        enrich_all(drafts(4), [ReadyEnricher("s", enricher, 30, identifies=True), failing], workers=4, max_failures=1)

    assert enricher.stopped.is_set()


def test_an_enricher_that_cannot_even_stop_hides_no_error() -> None:
    enricher = Stoppable(quick=9)
    enricher.stop = raising(ValueError("of stop"))  # type: ignore[method-assign, assignment]  # a stop that takes too much fails, too

    with pytest.raises(ResourceError, match="broken"):
        enrich_all(drafts(2), [ReadyEnricher("s", enricher, 30, identifies=True), ready(raising(ResourceError("broken")))])


def test_ctrl_c_stops_the_wait_for_a_hanging_enricher_and_the_process_exits() -> None:
    script = textwrap.dedent("""
        import _thread, threading, time
        from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
        from retrovue_uow.model import AssetDraft

        class Hanging:
            def check(self): pass
            def enrich(self, draft): threading.Event().wait()

        threading.Timer(0.2, _thread.interrupt_main).start()
        try:
            enrich_all([AssetDraft("/a", "/a")], [ReadyEnricher("hanging", Hanging(), 60, True)])
        except KeyboardInterrupt:
            print("interrupted")
    """)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)


def test_a_late_call_is_named_and_the_rest_goes_on(hanging_at: Callable[..., Enrich]) -> None:
    told: list[int] = []

    with pytest.raises(ResourceError, match=r"'probe' .*'/mnt/00001.mkv' within 0.1 s"):
        enrich_all(
            drafts(30),
            [ready(hanging_at(1), type="probe", timeout_s=0.1)],
            workers=1,
            progress=lambda done, total, path: told.append(done),
        )

    assert told == list(range(1, 31))


def test_every_worker_lost_to_a_late_call_is_replaced(hanging_at: Callable[..., Enrich]) -> None:
    with pytest.raises(ResourceError, match="4 files failed") as caught:
        enrich_all(drafts(10), [ready(hanging_at(0, 1, 2, 3), timeout_s=0.1)], workers=2)

    assert [f"/mnt/{n:05}.mkv" in str(caught.value) for n in range(6)] == [True] * 4 + [False] * 2


def test_a_late_call_runs_no_further_enricher(release: threading.Event, hanging_at: Callable[..., Enrich]) -> None:
    seen: list[int | None] = []

    def noting(draft: AssetDraft) -> AssetDraft:
        seen.append(draft.size)
        return draft

    with pytest.raises(ResourceError):
        enrich_all(drafts(2), [ready(hanging_at(0), timeout_s=0.1), ready(noting)])
    release.set()
    time.sleep(0.05)

    assert seen == [1]


def test_the_result_of_a_late_call_is_discarded(release: threading.Event, hanging_at: Callable[..., Enrich]) -> None:
    told: list[str] = []

    def slow(draft: AssetDraft) -> AssetDraft:
        time.sleep(0.01)
        if draft.size == 20:
            release.set()
        return draft

    with pytest.raises(ResourceError, match="gave no answer"):
        enrich_all(
            drafts(30),
            [ready(hanging_at(0), timeout_s=0.1), ready(slow)],
            workers=2,
            progress=lambda done, total, path: told.append(path),
        )

    assert sorted(told) == [draft.file_path for draft in drafts(30)]


def test_the_time_limit_is_per_call_not_per_draft() -> None:
    def slow(draft: AssetDraft) -> AssetDraft:
        time.sleep(0.15)
        return draft

    assert enrich_all(drafts(1), [ready(slow, timeout_s=0.25), ready(slow, timeout_s=0.25)]) == [Read(drafts(1)[0])]


def test_a_process_exits_while_an_enricher_hangs() -> None:
    script = textwrap.dedent("""
        import threading
        from retrovue_uow.errors import ResourceError
        from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
        from retrovue_uow.model import AssetDraft

        class Hanging:
            def check(self): pass
            def enrich(self, draft): threading.Event().wait()

        try:
            enrich_all([AssetDraft("/a", "/a")], [ReadyEnricher("hanging", Hanging(), 0.1, True)])
        except ResourceError as error:
            print(error)
    """)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)

    assert "'hanging' gave no answer" in done.stdout
    assert done.returncode == 0


def test_one_failure_is_raised_itself() -> None:
    error = BusinessRuleError("broken: /mnt/00002.mkv")

    with pytest.raises(BusinessRuleError) as caught:
        enrich_all(drafts(5), [ready(raising(error, 2))])
    assert caught.value is error


def test_a_failure_that_does_not_name_its_file_is_named_and_keeps_class_and_attributes() -> None:
    error = ConflictError("busy", holder=Holder("ingest", 7, "2024"), rule="validate_it")

    with pytest.raises(ConflictError, match=r"'/mnt/00002.mkv': busy") as caught:
        enrich_all(drafts(5), [ready(raising(error, 2))])
    assert (caught.value.holder.pid, caught.value.rule, caught.value.__cause__) == (7, "validate_it", error)


@pytest.mark.parametrize("error", [KeyError("{oops}"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_a_foreign_failure_becomes_a_resource_error(error: BaseException) -> None:
    with pytest.raises(ResourceError, match=r"'scripted' failed on '/mnt/00001.mkv'") as caught:
        enrich_all(drafts(3), [ready(raising(error, 1))], workers=1)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (None, "returned a NoneType"),
        ({"file_path": "/mnt/00000.mkv"}, "returned a dict"),
        (AssetDraft("/mnt/other.mkv", "/data/00000.mkv"), "/mnt/other.mkv"),
        (AssetDraft("/mnt/00000.mkv", "/data/other.mkv"), "/data/other.mkv"),
    ],
)
def test_what_is_not_the_draft_is_refused(returned: AssetDraft, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        enrich_all(drafts(1), [ready(lambda draft: returned)])

    assert "'scripted'" in str(caught.value)
    assert "'/mnt/00000.mkv'" in str(caught.value)


def test_what_several_drafts_are_warned_of_is_said_of_the_first_one() -> None:
    def warned(draft: AssetDraft) -> AssetDraft:
        own = f"file {draft.size} is odd"
        return attrs.evolve(draft, warnings=(*draft.warnings, "the show is odd", own, own))

    results = enrich_all(drafts(3), [ready(warned)])

    assert [read and tuple(each.message for each in read.findings) for read in results] == [
        ("the show is odd", "file 0 is odd"),
        ("file 1 is odd",),
        ("file 2 is odd",),
    ]


def test_all_drafts_are_tried_and_all_failures_named_in_order() -> None:
    tried: list[int | None] = []

    def failing(draft: AssetDraft) -> AssetDraft:
        tried.append(draft.size)
        return raising(ResourceError("unreadable"), 9, 3, 7)(draft)

    with pytest.raises(ResourceError) as caught:
        enrich_all(drafts(30), [ready(failing)])

    lines = str(caught.value).splitlines()
    assert lines[0] == "3 files failed:"
    assert [line.split("'")[1] for line in lines[1:4]] == ["/mnt/00003.mkv", "/mnt/00007.mkv", "/mnt/00009.mkv"]
    assert "`exclude`" in lines[4]
    assert "00003" in str(caught.value.__cause__)
    assert len(tried) == 30


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([ValidationError("a"), ValidationError("b")], ValidationError),
        ([ValidationError("a"), BusinessRuleError("b")], ResourceError),
    ],
)
def test_several_failures_are_a_validation_error_only_if_all_are(
    errors: Sequence[RetroVueError], kind: type[RetroVueError]
) -> None:
    def failing(draft: AssetDraft) -> AssetDraft:
        raise errors[draft.size or 0]

    with pytest.raises(RetroVueError) as caught:
        enrich_all(drafts(2), [ready(failing)])
    assert type(caught.value) is kind


def test_work_stops_at_the_limit_of_failures() -> None:
    tried: list[int | None] = []

    def failing(draft: AssetDraft) -> AssetDraft:
        tried.append(draft.size)
        time.sleep(0.002)
        raise ResourceError("unreadable")

    with pytest.raises(ResourceError, match="5 files failed") as caught:
        enrich_all(drafts(500), [ready(failing)], max_failures=5)

    assert str(caught.value).count("unreadable") == 5
    assert len(tried) < 100
