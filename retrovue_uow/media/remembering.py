"""What enrichers told of a file, kept in a form in which it can be told again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.log import logger
from retrovue_uow.model import AssetDraft, Json, Marker

CachedBy = Literal["file", "draft"]
CACHED_BY: tuple[CachedBy | None, ...] = ("file", "draft", None)

_FORM = 1
"""Of the keys and texts below; a new one makes the old ones unknown."""
_OF_THE_IMPORTER = ("file_path", "source_path", "size", "mtime_ns", "sidecars")
_FIELDS = tuple(field.name for field in attrs.fields(AssetDraft))
_PLAIN_FIELDS = frozenset(_FIELDS) - {*_OF_THE_IMPORTER, "markers", "metadata"}
_UNTELLABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, ValidationError)


class Memory(Protocol):
    """Where texts are kept between operations. For any thread; neither raises."""

    def get(self, key: str) -> str | None:
        """The text that was put there, if it is still known."""

    def put(self, key: str, text: str) -> None:
        """Keep the text, perhaps."""


@attrs.frozen
class Basis:
    """What the results of an enricher depend on.

    Attributes:
        cached_by: The file alone, or all of the draft.
        identity: Type, configuration and version of the enricher, as text; empty: its results are not kept.
    """

    cached_by: CachedBy
    identity: str = attrs.field(default="", repr=False)

    def shown(self, draft: AssetDraft) -> AssetDraft:
        """What the enricher gets to see of the draft: nothing that its results do not depend on."""
        if self.cached_by == "draft":
            return draft
        return AssetDraft(draft.file_path, draft.file_path, draft.size, draft.mtime_ns)

    def key(self, draft: AssetDraft) -> str | None:
        """Under which key the result for this draft is kept; None: under none."""
        if not self.identity or draft.size is None or draft.mtime_ns is None:
            return None
        shown = self.shown(draft)
        facts = [_FORM, self.identity, self.cached_by, [getattr(shown, name) for name in _FIELDS]]
        try:
            text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_as_plain)
        except _UNTELLABLE:
            return None
        return hashlib.sha256(text.encode()).hexdigest()


def _as_plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else attrs.astuple(value)  # type: ignore[arg-type]  # it raises if not


@attrs.frozen
class Told:
    """What an enricher told: all that it changed.

    Attributes:
        fields: By name; none of those that are the importer's.
        markers: By kind; of each all that there are now.
        metadata: By domain.
        removed: Domains of metadata that went.
    """

    fields: Json
    markers: Mapping[str, tuple[Marker, ...]]
    metadata: Mapping[str, Json]
    removed: tuple[str, ...]

    @classmethod
    def between(cls, before: AssetDraft, after: AssetDraft) -> Told:
        """What makes `after` of `before`."""
        old, new = _by_kind(before.markers), _by_kind(after.markers)
        return cls(
            fields={name: getattr(after, name) for name in _PLAIN_FIELDS if getattr(after, name) != getattr(before, name)},
            markers={kind: new.get(kind, ()) for kind in {**old, **new} if new.get(kind) != old.get(kind)},
            metadata={
                domain: document
                for domain, document in after.metadata.items()
                if domain not in before.metadata or before.metadata[domain] != document
            },
            removed=tuple(domain for domain in before.metadata if domain not in after.metadata),
        )

    @classmethod
    def of_text(cls, text: str, path: str) -> Told:
        """What `as_text` wrote for this path; raises one of `_UNTELLABLE` for anything else."""
        stored = json.loads(text)
        if stored["path"] != path or not _PLAIN_FIELDS.issuperset(stored["fields"]):
            raise ValueError(f"the text was not written for {path!r}")
        fields = stored["fields"].items()
        return cls(
            fields={name: tuple(value) if isinstance(value, list) else value for name, value in fields},
            markers={kind: tuple(Marker(kind, *each) for each in told) for kind, told in stored["markers"].items()},
            metadata=stored["metadata"],
            removed=tuple(stored["removed"]),
        )

    @property
    def is_nothing(self) -> bool:
        """Whether the draft is left as it was."""
        return not (self.fields or self.markers or self.metadata or self.removed)

    def as_text(self, path: str) -> str:
        """The same as JSON."""
        markers = {kind: [attrs.astuple(each)[1:] for each in told] for kind, told in self.markers.items()}
        told = {"path": path, "fields": self.fields, "markers": markers, "metadata": self.metadata, "removed": self.removed}
        return json.dumps(told, separators=(",", ":"), default=dict)

    def over(self, draft: AssetDraft) -> AssetDraft:
        """The draft with what was told."""
        if self.is_nothing:
            return draft
        kept = [marker for marker in draft.markers if marker.kind not in self.markers]
        told = [marker for of_one_kind in self.markers.values() for marker in of_one_kind]
        metadata = {domain: document for domain, document in draft.metadata.items() if domain not in self.removed}
        fields: dict[str, Any] = dict(self.fields)  # what they are, `between` knew and the judge of the draft will see
        return attrs.evolve(draft, **fields, markers=(*kept, *told), metadata={**metadata, **self.metadata})


def _by_kind(markers: Iterable[Marker]) -> dict[str, tuple[Marker, ...]]:
    kinds: dict[str, tuple[Marker, ...]] = {}
    for marker in markers:
        kinds[marker.kind] = (*kinds.get(marker.kind, ()), marker)
    return kinds


@attrs.frozen
class Remembering:
    """How a pool keeps what enrichers told.

    Attributes:
        judge: Raises `ValidationError` for a draft that cannot be: what leads to such a one is neither kept nor believed.
        recalls: Whether what is known already is told again; False: it is only replaced.
    """

    memory: Memory
    judge: Callable[[AssetDraft], object]
    recalls: bool = True

    def recalled(self, key: str, draft: AssetDraft) -> AssetDraft | None:
        """The draft with what was told of it before; None where that is not known."""
        text = self.memory.get(key) if self.recalls else None
        if text is None:
            return None
        try:
            told = Told.of_text(text, draft.file_path)
            enriched = told.over(draft)
            if not told.is_nothing:
                self.judge(enriched)
        except _UNTELLABLE as error:
            logger.debug("remembered_result_ignored", path=draft.file_path, message=str(error))
            return None
        return enriched

    def keep(self, key: str, told: Told, enriched: AssetDraft) -> None:
        """Keep what made this draft, if it is sound."""
        try:
            if not told.is_nothing:
                self.judge(enriched)
            self.memory.put(key, told.as_text(enriched.file_path))
        except _UNTELLABLE as error:
            logger.debug("result_not_remembered", path=enriched.file_path, message=str(error))
