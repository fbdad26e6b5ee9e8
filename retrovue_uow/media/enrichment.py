"""The bounded pool that runs enrichers over drafts and outlives those that hang."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

import attrs

from retrovue_uow.errors import ResourceError, RetroVueError, ValidationError
from retrovue_uow.log import logger
from retrovue_uow.media.interfaces import Enricher
from retrovue_uow.media.probe_results import ProbeResults, laid_over, shown
from retrovue_uow.model import AssetDraft, Json, Marker, Progress
from retrovue_uow.secrets import redacting_errors, with_message

DEFAULT_WORKERS = min(max(os.cpu_count() or 2, 2), 8)
MAX_FAILURES = 20
SUPERVISION_S = 0.05
"""How often the caller's thread reports progress and looks for late calls."""

Keep = Callable[[AssetDraft], bool]


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
    progress: Progress | None = None,
) -> list[AssetDraft | None]:
    """The drafts, in their order, after all enrichers in theirs; None for those that `keep` drops.

    `keep` is asked once per draft, as soon as no further enricher identifies. `progress` is called from this thread;
    what it raises passes through untouched, as does Ctrl-C, and no further draft is begun. A call that exceeds its time
    limit is abandoned and its result discarded. All drafts are tried until `max_failures` of them have failed. What is
    found in a file goes to `results` at once, whatever becomes of the other drafts. Whichever way this ends, enrichers that can
    stop are stopped.

    Raises:
        RetroVueError: the failure, where there is one.
        ValidationError: several failures, each of this class.
        ResourceError: several failures of any other kind.
    """
    if results:
        results.read([ready.identity for ready in enrichers if ready.needs_file_only], drafts)
    if not enrichers:
        return [draft if keep is None or keep(draft) else None for draft in drafts]
    return _Pool(drafts, enrichers, keep, results, max_failures, progress).run(workers)


class _Call(NamedTuple):
    ready: ReadyEnricher
    position: int
    started: float


@attrs.define(eq=False)
class _Worker:
    """One thread of the pool: the call that it is in, if any, and whether it was too late for anybody to wait on."""

    call: _Call | None = None
    abandoned: bool = False


@attrs.define(eq=False)
class _Pool:
    """One run. Workers take drafts and settle them; the caller's thread supervises, reports and raises."""

    _drafts: Sequence[AssetDraft]
    _enrichers: Sequence[ReadyEnricher]
    _keep: Keep | None
    _probed: ProbeResults | None
    _max_failures: int
    _progress: Progress | None
    _tail: int = attrs.field(init=False)
    _todo: deque[int] = attrs.field(init=False)
    _results: list[AssetDraft | None] = attrs.field(init=False)
    _failures: dict[int, RetroVueError] = attrs.field(factory=dict, init=False)
    _crash: BaseException | None = attrs.field(default=None, init=False)
    _settled: list[int] = attrs.field(factory=list, init=False)
    _workers: set[_Worker] = attrs.field(factory=set, init=False)
    _settling: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _over: threading.Event = attrs.field(factory=threading.Event, init=False)
    _is_left: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._tail = next((n for n in range(len(self._enrichers), 0, -1) if self._enrichers[n - 1].identifies), 0)
        self._todo = deque(range(len(self._drafts)))
        self._results = [None] * len(self._drafts)

    def run(self, workers: int) -> list[AssetDraft | None]:
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
        return _each_warning_once(self._results)

    def _hire(self) -> None:
        worker = _Worker()
        self._workers.add(worker)
        # Not an executor's: the interpreter waits for those at exit, and a hanging enricher would hang it too.
        threading.Thread(target=self._work, args=(worker,), name="retrovue-enricher", daemon=True).start()

    def _work(self, worker: _Worker) -> None:
        while not worker.abandoned:
            try:
                index = self._todo.popleft()
            except IndexError:
                return
            result, failure = None, None
            try:
                result = self._enriched(worker, index)
            except RetroVueError as error:
                failure = error
            except BaseException as error:  # noqa: BLE001  from `keep`, which is the caller's: it is raised there
                self._crash = error
                self._over.set()
                continue
            with self._settling:
                if not (worker.abandoned or self._is_left):
                    self._results[index] = result
                    self._note(index, failure)

    def _enriched(self, worker: _Worker, index: int) -> AssetDraft | None:
        draft = self._drafts[index]
        for ready in self._enrichers[: self._tail]:
            draft = self._found(worker, index, ready, draft)
        if self._keep and not self._keep(draft):
            return None
        for ready in self._enrichers[self._tail :]:
            draft = self._found(worker, index, ready, draft)
        return draft

    def _found(self, worker: _Worker, index: int, ready: ReadyEnricher, draft: AssetDraft) -> AssetDraft:
        """The draft with what the enricher finds, or found before."""
        if not ready.needs_file_only:
            return self._called(worker, index, ready, draft)
        recalled = self._probed.recalled(ready.identity, draft) if self._probed else None
        if recalled is not None:
            return recalled
        found = self._called(worker, index, ready, shown(draft))
        if self._probed:
            self._probed.keep(ready.identity, found)
        return laid_over(draft, found)

    def _called(self, worker: _Worker, index: int, ready: ReadyEnricher, draft: AssetDraft) -> AssetDraft:
        worker.call = _Call(ready, index, time.monotonic())
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
            if call is None or now - call.started <= call.ready.timeout_s:
                continue
            path = self._drafts[call.position].file_path
            with self._settling:
                if worker.call is not call:
                    continue
                worker.abandoned = True
                self._note(call.position, _late(call.ready, path))
            logger.warning("late_enricher_abandoned", type=call.ready.type, path=path)
            self._workers.discard(worker)
            if self._todo:
                self._hire()


def _each_warning_once(results: list[AssetDraft | None]) -> list[AssetDraft | None]:
    """The drafts; what several are warned of, such as their show's sidecar, is said of the first one alone."""
    told: set[str] = set()
    for index, draft in enumerate(results):
        if draft is not None and draft.warnings:
            new = tuple(warning for warning in dict.fromkeys(draft.warnings) if warning not in told)
            results[index] = attrs.evolve(draft, warnings=new)
            told.update(new)
            for warning in new:
                logger.warning("draft_has_a_warning", path=draft.file_path, message=warning)
    return results


def _enriched_draft(ready: ReadyEnricher, draft: AssetDraft) -> AssetDraft:
    try:
        enriched: AssetDraft = ready.enricher.enrich(draft)
    except RetroVueError as error:
        if draft.file_path in str(error) or repr(draft.file_path) in str(error):
            raise
        raise with_message(error, f"{draft.file_path!r}: {error}") from error
    except BaseException as error:  # an enricher is somebody else's code, and SystemExit must not cost a worker
        raise ResourceError(f"enricher {ready.type!r} failed on {draft.file_path!r}: {error!r}") from error
    if problem := _problem(enriched, draft):
        raise ValidationError(f"enricher {ready.type!r} {problem}")
    return enriched


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
        f"{len(failures)} files failed:\n{listed}\nMend them, or leave them out with `exclude` (`--exclude`)."
    ) from failures[0]
