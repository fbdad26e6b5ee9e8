"""The bounded pool that runs enrichers over drafts and outlives those that hang."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

import attrs

from retrovue_uow.errors import BrokenFileError, ResourceError, RetroVueError, ValidationError, amount
from retrovue_uow.log import logger
from retrovue_uow.media.interfaces import Enricher
from retrovue_uow.media.probe_results import ProbeResults, laid_over, shown
from retrovue_uow.model import AssetDraft, Broken, Finding, Json, Marker, Progress, Severity
from retrovue_uow.secrets import redacting_errors, with_message

DEFAULT_WORKERS = min(max(os.cpu_count() or 2, 2), 8)
MAX_FAILURES = 20
ENOUGH_TO_JUDGE = 10
"""Files of which an enricher must call every one broken before it is the enricher that is taken for broken."""
MAX_MESSAGE = 1000
"""Characters of a finding's message, as many as the schema takes."""
SUPERVISION_S = 0.05
"""How often the caller's thread reports progress and looks for late calls."""

Keep = Callable[[AssetDraft], bool]


class Read(NamedTuple):
    """A draft after all enrichers, what they found out about its file, and whether that went before it was read."""

    draft: AssetDraft
    findings: tuple[Finding, ...] = ()
    has_vanished: bool = False


@attrs.frozen
class ReadyEnricher:
    """An enricher, made and configured, with what the pool needs to know of it.

    Attributes:
        timeout_s: Seconds that one `enrich` may take.
        identifies: Whether it may touch kind, title, year, season or episodes.
        needs_file_only: Whether its results depend on the file alone; it is shown nothing else then.
        identity: Type, configuration and version, as text; empty: its results are not kept.
        config: As it is stored; its secrets are kept out of errors.
    """

    type: str
    enricher: Enricher
    timeout_s: float
    identifies: bool
    needs_file_only: bool = False
    identity: str = attrs.field(default="", repr=False)
    config: Json = attrs.field(factory=dict, repr=False)

    def stop(self) -> None:
        """Let the enricher end the calls that it is still in, where it knows how to."""
        stop = getattr(self.enricher, "stop", None)
        if not callable(stop):
            return
        try:
            with redacting_errors(self.config):
                stop()
        except Exception as error:  # noqa: BLE001  somebody else's code, asked while another error may be on its way
            logger.warning("enricher_not_stopped", type=self.type, reason=str(error))


def enrich_all(
    drafts: Sequence[AssetDraft],
    enrichers: Sequence[ReadyEnricher],
    *,
    keep: Keep | None = None,
    results: ProbeResults | None = None,
    workers: int = DEFAULT_WORKERS,
    max_failures: int = MAX_FAILURES,
    broken: Broken = "refuse",
    progress: Progress | None = None,
) -> list[Read | None]:
    """The drafts, in their order, after all enrichers in theirs, with findings; None for those that `keep` drops.

    `keep` is asked once per draft, as soon as no further enricher identifies. `progress` is called from this thread;
    what it raises passes through untouched, as does Ctrl-C, and no further draft is begun. A call that exceeds its time
    limit is abandoned and its result discarded. All drafts are tried until `max_failures` of them have failed. What is
    found in a file goes to `results` at once, whatever becomes of the other drafts. Whichever way this ends, enrichers that can
    stop are stopped.

    With `broken="record"` a file that an enricher calls broken, or is late with, is a finding and no failure: the other
    enrichers go on with the draft as it was.

    Raises:
        ResourceError: an enricher called all of ten or more files broken, or was late with the first twenty.
        RetroVueError: the failure, where there is one.
        ValidationError: several failures, each of this class.
        ResourceError: several failures of any other kind.
    """
    if results:
        results.read([ready.identity for ready in enrichers if ready.needs_file_only], drafts)
    if not enrichers and not any(draft.warnings for draft in drafts):
        return [Read(draft) if keep is None or keep(draft) else None for draft in drafts]
    return _Pool(drafts, enrichers, keep, results, max_failures, broken, progress).run(workers)


def finding(enricher: str, severity: Severity, text: str) -> Finding:
    """A finding whose message is one line that a terminal and the catalogue can take."""
    words = " ".join(text[: 2 * MAX_MESSAGE].split()) or "no reason was given"
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in words)
    return Finding(enricher, severity, line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 1]}…")


class _Task(NamedTuple):
    """A draft, by its position among all, and the number of the enricher that is to see it next."""

    position: int
    draft: AssetDraft
    number: int


class _Call(NamedTuple):
    task: _Task
    started: float


class _Worker:
    """One thread of the pool: the call that it is in, if any, and whether it was too late for anybody to wait on."""

    call: _Call | None = None
    abandoned: bool = False


class _Pool:
    """One run. Workers take drafts and settle them; the caller's thread supervises, reports and raises."""

    def __init__(
        self,
        drafts: Sequence[AssetDraft],
        enrichers: Sequence[ReadyEnricher],
        keep: Keep | None,
        probed: ProbeResults | None,
        max_failures: int,
        broken: Broken,
        progress: Progress | None,
    ) -> None:
        self._drafts, self._enrichers, self._keep, self._probed = drafts, enrichers, keep, probed
        self._max_failures, self._broken, self._progress = max_failures, broken, progress
        self._tail = next((n for n in range(len(enrichers), 0, -1) if enrichers[n - 1].identifies), 0)
        unwarned = [attrs.evolve(each, warnings=()) if each.warnings else each for each in drafts]
        self._todo = deque(_Task(position, draft, 0) for position, draft in enumerate(unwarned))
        self._findings = [tuple(finding("importer", "warning", text) for text in each.warnings) for each in drafts]
        self._results: list[Read | None] = [None] * len(drafts)
        self._asked, self._called_broken, self._late = Counter[int](), Counter[int](), Counter[int]()
        self._vanished: set[int] = set()
        self._failures: dict[int, RetroVueError] = {}
        self._crash: BaseException | None = None
        self._settled: list[int] = []
        self._workers: set[_Worker] = set()
        self._settling, self._over = threading.Lock(), threading.Event()
        self._is_left = False

    def run(self, workers: int) -> list[Read | None]:
        reported = 0
        try:
            for _ in range(min(max(workers, 1), len(self._drafts))):
                self._hire()
            while reported < len(self._drafts) and self._crash is None and len(self._failures) < self._max_failures:
                self._over.wait(SUPERVISION_S)
                self._abandon_late_calls()
                for index in self._settled[reported:]:
                    reported += 1
                    if self._progress:
                        self._progress(reported, len(self._drafts), self._drafts[index].file_path)
        finally:
            self._todo.clear()
            with self._settling:  # what fails from here on does so because it is stopped
                self._is_left = True
            for ready in self._enrichers:
                ready.stop()
        if self._crash:
            raise self._crash
        if self._failures:
            _raise_as_one([self._failures[index] for index in sorted(self._failures)][: self._max_failures])
        self._refuse_blind_enrichers()
        return _each_warning_once(self._results)

    def _refuse_blind_enrichers(self) -> None:
        for number, asked in self._asked.items():
            if asked >= ENOUGH_TO_JUDGE and self._called_broken[number] == asked:
                raise self._blamed(number)

    def _blamed(self, number: int) -> ResourceError:
        type_, asked = self._enrichers[number].type, self._asked[number]
        said = next(each.message for found in self._findings for each in found if each.enricher == type_)
        return ResourceError(f"enricher {type_!r} calls every one of {asked} files broken: is it well? Of the first: {said}")

    def _hire(self) -> None:
        worker = _Worker()
        self._workers.add(worker)
        # Not an executor's: the interpreter waits for those at exit, and a hanging enricher would hang it too.
        threading.Thread(target=self._work, args=(worker,), name="retrovue-enricher", daemon=True).start()

    def _work(self, worker: _Worker) -> None:
        while not worker.abandoned:
            try:
                task = self._todo.popleft()
            except IndexError:
                return
            result, failure = None, None
            try:
                result = self._enriched(worker, task)
            except RetroVueError as error:
                failure = error
            except BaseException as error:  # noqa: BLE001  from `keep`, which is the caller's: it is raised there
                self._crash = error
                self._over.set()
                continue
            with self._settling:
                if not (worker.abandoned or self._is_left):
                    has_vanished, found = task.position in self._vanished, self._findings[task.position]
                    self._results[task.position] = None if result is None else Read(result, found, has_vanished)
                    self._note(task.position, failure)

    def _enriched(self, worker: _Worker, task: _Task) -> AssetDraft | None:
        position, draft, _ = task
        for number in range(task.number, len(self._enrichers) + 1):
            if number == self._tail and self._keep and not self._keep(draft):
                return None
            if number < len(self._enrichers):
                draft = self._judged(worker, _Task(position, draft, number))
        return draft

    def _judged(self, worker: _Worker, task: _Task) -> AssetDraft:
        """The draft with what its next enricher finds; what that warns of, or calls broken, is set apart."""
        type_ = self._enrichers[task.number].type
        try:
            draft = self._found(worker, task)
        except BrokenFileError as error:
            if self._broken == "refuse" or worker.abandoned:
                raise
            with self._settling:
                self._call_broken(task, str(error), is_late=_has_cause(error, TimeoutError))
                if _has_cause(error, FileNotFoundError):
                    self._vanished.add(task.position)
            return task.draft
        with self._settling:
            self._asked[task.number] += 1
        if not draft.warnings:
            return draft
        self._findings[task.position] += tuple(finding(type_, "warning", text) for text in draft.warnings)
        return attrs.evolve(draft, warnings=())

    def _call_broken(self, task: _Task, text: str, *, is_late: bool) -> None:
        """Note it; to be called while settling."""
        self._findings[task.position] += (finding(self._enrichers[task.number].type, "broken", text),)
        for counter, by in ((self._asked, 1), (self._called_broken, 1), (self._late, is_late)):
            counter[task.number] += by
        # Hours of waiting for nothing: it is late with whatever it is shown.
        if self._late[task.number] == self._asked[task.number] == self._max_failures:
            self._crash = self._blamed(task.number)
            self._over.set()

    def _found(self, worker: _Worker, task: _Task) -> AssetDraft:
        """The draft with what the enricher finds, or found before."""
        ready = self._enrichers[task.number]
        if not ready.needs_file_only:
            return self._called(worker, task, task.draft)
        recalled = self._probed.recalled(ready.identity, task.draft) if self._probed else None
        if recalled is not None:
            return recalled
        found = self._called(worker, task, shown(task.draft))
        if self._probed:
            self._probed.keep(ready.identity, found)
        return laid_over(task.draft, found)

    def _called(self, worker: _Worker, task: _Task, draft: AssetDraft) -> AssetDraft:
        ready = self._enrichers[task.number]
        worker.call = _Call(task, time.monotonic())
        try:
            with redacting_errors(ready.config):
                enriched = _enriched_draft(ready, draft)
        finally:
            with self._settling:  # from here on nobody calls it late
                worker.call = None
        if worker.abandoned:
            raise _late(ready, draft.file_path)
        return enriched

    def _note(self, index: int, failure: RetroVueError | None) -> None:
        if failure:
            self._failures[index] = failure
        self._settled.append(index)
        if len(self._settled) == len(self._drafts) or len(self._failures) >= self._max_failures:
            self._over.set()

    def _abandon_late_calls(self) -> None:
        now = time.monotonic()
        for worker in tuple(self._workers):
            call = worker.call
            if call and now - call.started > self._enrichers[call.task.number].timeout_s:
                self._abandon(worker, call)

    def _abandon(self, worker: _Worker, call: _Call) -> None:
        with self._settling:
            if worker.call is not call:
                return
            worker.abandoned = True
            ready, path = self._enrichers[call.task.number], call.task.draft.file_path
            if self._broken == "refuse":
                self._note(call.task.position, _late(ready, path))
            else:  # somebody else goes on with the draft, behind that enricher
                self._call_broken(call.task, str(_late(ready, path)), is_late=True)
                self._todo.append(call.task._replace(number=call.task.number + 1))
        logger.warning("late_enricher_abandoned", type=ready.type, path=path)
        self._workers.discard(worker)
        if self._todo:
            self._hire()


def _each_warning_once(results: list[Read | None]) -> list[Read | None]:
    """The results; what several are warned of, such as their show's sidecar, is said of the first one alone."""
    told: set[Finding] = set()
    for index, read in enumerate(results):
        if read is not None and read.findings:
            new = tuple(each for each in dict.fromkeys(read.findings) if each not in told)
            results[index] = read._replace(findings=new)
            told.update(each for each in new if each.severity == "warning")
            for each in new:
                logger.warning("file_has_a_finding", path=read.draft.file_path, **attrs.asdict(each))
    return results


def _enriched_draft(ready: ReadyEnricher, draft: AssetDraft) -> AssetDraft:
    try:
        enriched: AssetDraft = ready.enricher.enrich(draft)
    except RetroVueError as error:
        is_named = draft.file_path in str(error) or repr(draft.file_path) in str(error)
        text = str(error) if is_named else f"{draft.file_path!r}: {error}"
        if type(error) is ValidationError:
            raise BrokenFileError(text, path=draft.file_path) from error
        if is_named:
            raise
        raise with_message(error, text) from error
    except BaseException as error:  # an enricher is somebody else's code, and SystemExit must not cost a worker
        raise ResourceError(f"enricher {ready.type!r} failed on {draft.file_path!r}: {error!r}") from error
    if problem := _problem(enriched, draft):
        raise ValidationError(f"enricher {ready.type!r} {problem}")
    return enriched


def _has_cause(error: BaseException | None, kind: type[Exception]) -> bool:
    return error is not None and (isinstance(error, kind) or _has_cause(error.__cause__, kind))


def _problem(enriched: object, draft: AssetDraft) -> str | None:
    """What is wrong with the shape of an enricher's answer; whether its facts make sense is judged later."""
    path = repr(draft.file_path)
    if not isinstance(enriched, AssetDraft):
        return f"returned a {type(enriched).__name__} for {path}, not an AssetDraft: mend the enricher"
    if (enriched.file_path, enriched.source_path) != (draft.file_path, draft.source_path):
        shown_paths = f"{enriched.file_path!r}, {enriched.source_path!r}"
        return f"returned the paths {shown_paths} for {path}: it must leave both as they are"
    if (enriched.size, enriched.mtime_ns, enriched.sidecars) != (draft.size, draft.mtime_ns, draft.sidecars):
        return f"changed size, mtime or sidecars of {path}: it must leave what the importer saw as it is"
    markers: object = enriched.markers
    if not isinstance(markers, tuple) or not all(isinstance(marker, Marker) for marker in markers):
        return f"returned {markers!r} as markers of {path}, not a tuple of Marker: mend the enricher"
    warnings: object = enriched.warnings
    if not isinstance(warnings, tuple) or not all(isinstance(warning, str) for warning in warnings):
        return f"returned {warnings!r} as warnings of {path}, not a tuple of texts: mend the enricher"
    metadata: object = enriched.metadata
    if not isinstance(metadata, Mapping):
        kind = type(metadata).__name__
        return f"returned a {kind} as metadata of {path}, not a mapping of domains to JSON objects: mend the enricher"
    return None


def _late(ready: ReadyEnricher, path: str) -> ResourceError:
    return ResourceError(
        f"enricher {ready.type!r} gave no answer on {path!r} within {ready.timeout_s:g} s:"
        " exclude the file or give the enricher more time"
    )


def _raise_as_one(failures: Sequence[RetroVueError]) -> NoReturn:
    if len(failures) == 1:
        raise failures[0]
    kind = ValidationError if all(isinstance(failure, ValidationError) for failure in failures) else ResourceError
    listed = "\n".join(f"- {failure}" for failure in failures)
    raise kind(
        f"{amount(len(failures), 'file')} failed:\n{listed}\nMend them, or leave them out with `exclude` (`--exclude`)."
    ) from failures[0]
