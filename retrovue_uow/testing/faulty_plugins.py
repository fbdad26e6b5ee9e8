"""Importers and enrichers whose every call passes a point, and fails at one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import attrs

from retrovue_uow import AssetDraft, Collection, FoundCollection, IngestFilters, PathMapping
from retrovue_uow.model import Json
from retrovue_uow.testing.copies import Sandbox
from retrovue_uow.testing.faults import Injection

T = TypeVar("T")
EXCEPTION, GARBAGE, HANG = "exception", "garbage returned", "hang"
_DEFAULT_S = 60.0
_CHECK, _LISTING, _DISCOVERY, _DRAFT, _ENRICHING = "check", "collections", "discover", "draft of discover", "enrich"
_VARIETIES = {
    _LISTING: (EXCEPTION, GARBAGE),
    _DRAFT: (EXCEPTION, GARBAGE),
    _ENRICHING: (EXCEPTION, GARBAGE, HANG),
}


def varieties_of(point: str) -> tuple[str, ...]:
    """What may go wrong at a call: only what returns something returns garbage, only `enrich` has a time limit of its own."""
    return _VARIETIES.get(point.split(": ")[-1], (EXCEPTION,))


@attrs.define(eq=False)
class Calls:
    """The calls of one run.

    Attributes:
        hang_s: How long `enrich` may take in a run in which a call hangs.
        released: Set once nobody waits any more.
    """

    injection: Injection
    hang_s: float
    released: threading.Event = attrs.field(factory=threading.Event)

    def faulty(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox with faulty importers and enrichers in place of its own."""
        importers = {
            name: partial(FaultyImporter, self, f"importer {name!r}", make) for name, make in sandbox.importers.items()
        }
        enrichers = {
            name: partial(FaultyEnricher, self, f"enricher {name!r}", make) for name, make in sandbox.enrichers.items()
        }
        return attrs.evolve(sandbox, importers=importers, enrichers=enrichers)

    def called(self, owner: str, act: str, call: Callable[[], T]) -> T:
        """What the call returns, unless the fault strikes: then what that brings about."""
        if not self.injection.is_at(f"{owner}: {act}"):
            return call()
        if self.injection.variety == GARBAGE:
            return [object()] if act == _LISTING else object()  # type: ignore[return-value]  # that is what makes it garbage
        if self.injection.variety == HANG:
            self.released.wait()
        raise RuntimeError("a fault")


class _Faulty:
    """Somebody's importer or enricher, each of whose calls is a point."""

    def __init__(self, calls: Calls, owner: str, make: Callable[[Json], Any], config: Json) -> None:
        self._calls = calls
        self._owner = owner
        self._plugin = make(config)

    def __getattr__(self, name: str) -> object:
        return getattr(self._plugin, name)

    def check(self) -> None:
        self._calls.called(self._owner, _CHECK, self._plugin.check)


class FaultyImporter(_Faulty):
    """Its every draft is a point, too: so it is asked for drafts, even if the importer offers more than these."""

    file_runs = None

    def collections(self) -> Iterable[FoundCollection]:
        return self._calls.called(self._owner, _LISTING, self._plugin.collections)

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        found = self._calls.called(self._owner, _DISCOVERY, lambda: self._plugin.discover(collection, mappings, filters))
        for draft in found:
            yield self._calls.called(self._owner, _DRAFT, lambda draft=draft: draft)  # type: ignore[misc]  # a default binds it


class FaultyEnricher(_Faulty):
    """Its time limit is its own, unless the run is to wait for a call that hangs."""

    @property
    def timeout_s(self) -> float:
        own = float(getattr(self._plugin, "timeout_s", _DEFAULT_S))
        return min(own, self._calls.hang_s) if self._calls.injection.variety == HANG else own

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        return self._calls.called(self._owner, _ENRICHING, lambda: cast("AssetDraft", self._plugin.enrich(draft)))
