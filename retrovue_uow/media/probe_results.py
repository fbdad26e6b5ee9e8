"""Results of enrichers with `cached_by = "file"`: laid over a draft of the file, and kept for the next preparation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.log import logger
from retrovue_uow.model import AssetDraft, Marker, digest

_FORM = 2
"""Of the keys and texts below; a new one makes the old ones unknown."""
_OF_THE_FILE = ("file_path", "source_path", "size", "mtime_ns", "sidecars")
_BARE = AssetDraft("", "")
_FINDINGS = tuple(field.name for field in attrs.fields(AssetDraft) if field.name not in _OF_THE_FILE)
_SENSELESS = (ValueError, TypeError, KeyError, AttributeError, RecursionError, ValidationError)


class Cache(Protocol):
    """Where texts are kept between preparations. For any thread; neither method raises."""

    def read(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Those of the texts that are known, by key."""

    def put(self, key: str, text: str) -> None:
        """Keep the text, perhaps."""


def shown(draft: AssetDraft) -> AssetDraft:
    """All that an enricher of the file alone gets to see of a draft."""
    return AssetDraft(draft.file_path, draft.file_path, draft.size, draft.mtime_ns)


def laid_over(draft: AssetDraft, found: AssetDraft) -> AssetDraft:
    """The draft with what was found in its file; markers of a kind that was found are replaced, as is metadata of a domain."""
    kinds = {marker.kind for marker in found.markers}
    facts = _facts(found)
    facts["markers"] = (*(marker for marker in draft.markers if marker.kind not in kinds), *found.markers)
    facts["metadata"] = {**draft.metadata, **found.metadata}
    facts["warnings"] = (*draft.warnings, *found.warnings)
    return attrs.evolve(draft, **facts)


def _facts(found: AssetDraft) -> dict[str, Any]:
    return {name: value for name in _FINDINGS if (value := getattr(found, name)) != getattr(_BARE, name)}


class ProbeResults:
    """The results that are kept, by enricher and file.

    Attributes:
        judge: Raises `ValidationError` for a draft that cannot be: a result that leads to one is not believed.
        recalls: Whether what is known already is used; False: it is only replaced.
    """

    def __init__(self, cache: Cache, judge: Callable[[AssetDraft], object], recalls: bool = True) -> None:
        self.cache, self.judge, self.recalls = cache, judge, recalls
        self._texts: Mapping[str, str] = {}

    def read(self, identities: Iterable[str], drafts: Iterable[AssetDraft]) -> None:
        """Read what these enrichers found in these files, all at once."""
        pairs = ((identity, draft) for identity in identities for draft in drafts)
        if self.recalls:
            self._texts = self.cache.read([key for identity, draft in pairs if (key := _key(identity, draft))])

    def recalled(self, identity: str, draft: AssetDraft) -> AssetDraft | None:
        """The draft with what was found in its file before; None where that is not known, or makes no sense."""
        text = self._texts.get(_key(identity, draft) or "")
        if text is None:
            return None
        try:
            kept = json.loads(text)
            markers = tuple(Marker(*each) for each in kept.pop("markers"))
            facts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
            enriched = laid_over(draft, attrs.evolve(_BARE, **facts, markers=markers))
            self.judge(enriched)
        except _SENSELESS as error:
            logger.debug("probe_result_ignored", path=draft.file_path, message=str(error))
            return None
        return enriched

    def keep(self, identity: str, found: AssetDraft) -> None:
        """Keep what was found in a file, if it is JSON."""
        key = _key(identity, found)
        if key is None:
            return
        try:
            kept = {**_facts(found), "markers": [attrs.astuple(each) for each in found.markers]}
            self.cache.put(key, json.dumps(kept, default=dict))
        except _SENSELESS as error:
            logger.debug("probe_result_not_kept", path=found.file_path, message=str(error))


def _key(identity: str, draft: AssetDraft) -> str | None:
    """None: nothing vouches for the file, or the enricher for equal results."""
    if not identity or draft.size is None or draft.mtime_ns is None:
        return None
    text = json.dumps([_FORM, identity, draft.file_path, draft.size, draft.mtime_ns])
    return digest(text)
