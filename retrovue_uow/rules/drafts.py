"""What a draft must be before it may become an asset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping

from retrovue_uow.errors import ValidationError
from retrovue_uow.media import paths, roots
from retrovue_uow.model import ASSET_KINDS, MARKER_KINDS, AssetDraft, Collection, Marker, PathMapping, Sidecar

_RULE = "validate_asset_draft"
_LONGEST_NAME = 1000  # characters, as in the schema
_LARGEST = 2**63 - 1  # SQLite's INTEGER
_COUNTS = {"year": 1, "season_number": 0, "duration_ms": 1, "width": 1, "height": 1, "part": 1}
"""The least that each number may be."""
_TEXTS = ("title", "episode_title", "container", "video_codec", "audio_codec")


def validate_asset_draft(draft: AssetDraft, collection: Collection) -> tuple[str, PathMapping]:
    """The canonical key of a draft and the mapping that it comes through.

    Raises:
        ValidationError: The draft is not one, or says something that cannot be; the message names its path and the field.
    """
    place = validate_draft_place(draft, collection)
    validate_draft_content(draft)
    return place


def validate_inside_mapping(draft: AssetDraft, mapping: PathMapping, links: roots.Links) -> None:
    """The file, with every link followed, lies inside the mapped folder."""
    if links.lead_out(draft.file_path, mapping.local_path):
        raise ValidationError(
            f"{draft.file_path!r} leads out of the mapped folder {mapping.local_path!r} by a link: map the folder it leads to"
        )


def validate_draft_content(draft: AssetDraft) -> None:
    """What a draft says that its file is and shows can be."""
    _refuse(draft, _content_problems(draft))


def _refuse(draft: AssetDraft, problems: Iterable[str | None]) -> None:
    for problem in filter(None, problems):
        raise ValidationError(f"draft {draft.source_path!r}: {problem}", rule=_RULE)


def validate_draft_place(draft: AssetDraft, collection: Collection) -> tuple[str, PathMapping]:
    """What an importer saw can be, paths, size, mtime and sidecars, and the draft has its shape: its key and its mapping."""
    if not isinstance(draft, AssetDraft):
        raise ValidationError(f"a draft must be an AssetDraft, not {type(draft).__name__}", rule=_RULE)
    for field, path in (("file_path", draft.file_path), ("source_path", draft.source_path)):
        if not isinstance(path, str) or not path:
            raise ValidationError(f"draft {draft.source_path!r}: {field} must be a path, not {path!r}", rule=_RULE)
    local_path = paths.canonical_key(draft.file_path)
    if not os.path.isabs(draft.file_path):
        raise ValidationError(f"draft {draft.source_path!r}: file_path {draft.file_path!r} must be absolute", rule=_RULE)
    key = paths.canonical_key(draft.source_path)
    mapping = paths.mapping_for(key, collection.mappings_by_source)
    if mapping is None:
        raise ValidationError(
            f"draft {draft.source_path!r} lies below no path mapping of collection {collection.name!r}: add one", rule=_RULE
        )
    if not paths.is_below(local_path, paths.canonical_key(mapping.local_path)):
        raise ValidationError(
            f"draft {draft.source_path!r}: file_path {draft.file_path!r} lies outside the mapped folder {mapping.local_path!r}",
            rule=_RULE,
        )
    _refuse(draft, _shape_problems(draft))
    return key, mapping


def _shape_problems(draft: AssetDraft) -> Iterator[str | None]:
    sidecars = () if draft.sidecars is None else draft.sidecars
    if not isinstance(sidecars, tuple) or not all(isinstance(sidecar, Sidecar) for sidecar in sidecars):
        yield f"sidecars must be a tuple of Sidecar, not {sidecars!r}"
    if not isinstance(draft.markers, tuple) or not all(isinstance(marker, Marker) for marker in draft.markers):
        yield "markers must be a tuple of Marker"
    if not isinstance(draft.warnings, tuple) or not all(isinstance(warning, str) for warning in draft.warnings):
        yield f"warnings must be a tuple of texts, not {draft.warnings!r}"
    if not isinstance(draft.metadata, Mapping):
        yield f"metadata must map domains to JSON objects, not be {draft.metadata!r}"
    yield _number_problem("size", draft.size, 0)
    yield _mtime_problem(draft.mtime_ns)


def _content_problems(draft: AssetDraft) -> Iterator[str | None]:
    if draft.kind is not None and draft.kind not in ASSET_KINDS:
        yield f"kind {draft.kind!r} is not one of {', '.join(ASSET_KINDS)}"
    if draft.kind == "episode" and (not draft.title or draft.season_number is None or not draft.episode_numbers):
        yield "an episode needs title, season_number and episode_numbers"
    if draft.kind == "movie" and not draft.title:
        yield "a movie needs a title"
    for name, least in _COUNTS.items():
        yield _number_problem(name, getattr(draft, name), least)
    for name in _TEXTS:
        yield _text_problem(name, getattr(draft, name))
    yield _episodes_problem(draft.episode_numbers)
    yield from _attachment_problems(draft)


def _attachment_problems(draft: AssetDraft) -> Iterator[str | None]:
    if len({(marker.kind, marker.start_ms) for marker in draft.markers}) != len(draft.markers):
        yield "two markers of one kind start at the same time"
    yield from map(_marker_problem, draft.markers)
    for domain, document in draft.metadata.items():
        if _text_problem("domain", domain) or not isinstance(document, Mapping) or not is_json(document):
            yield f"metadata of domain {domain!r} is not a JSON object"


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _mtime_problem(mtime_ns: object) -> str | None:
    if mtime_ns is None or _is_integer(mtime_ns):
        return None
    if not isinstance(mtime_ns, int) or isinstance(mtime_ns, bool):
        return f"mtime_ns {mtime_ns!r} is not an integer"
    year = "after the year 2262" if mtime_ns > 0 else "before the year 1677"
    return f"its mtime lies {year}, which the catalogue cannot keep: `touch` or exclude the file"


def _number_problem(name: str, value: object, least: int) -> str | None:
    if value is None or (_is_integer(value) and isinstance(value, int) and value >= least):
        return None
    return f"{name} must be an integer from {least}, not {value!r}"


def _text_problem(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value or not paths.is_utf8(value):
        return f"{name} {value!r} is not a readable text"
    if len(value) > _LONGEST_NAME:
        return f"{name} has {len(value)} characters, more than {_LONGEST_NAME}"
    return None


def _episodes_problem(numbers: object) -> str | None:
    if not isinstance(numbers, tuple) or not all(_is_integer(number) and number >= 0 for number in numbers):
        return f"episode_numbers must be a tuple of integers from 0 that fit into 64 bits, not {numbers!r}"
    if len(set(numbers)) != len(numbers):
        return f"episode_numbers {numbers!r} names an episode twice"
    return None


def _marker_problem(marker: Marker) -> str | None:
    if marker.kind not in MARKER_KINDS:
        return f"marker kind {marker.kind!r} is not one of {', '.join(MARKER_KINDS)}"
    return (
        (_number_problem("marker start_ms", marker.start_ms, 0) if marker.start_ms is not None else "a marker needs start_ms")
        or _number_problem("marker end_ms", marker.end_ms, marker.start_ms + 1)
        or _text_problem("marker name", marker.name)
    )


def _as_object(value: object) -> dict[object, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} is not JSON")  # `dict` would take b"" for an empty object
    return dict(value)


def is_json(value: object) -> bool:
    """Whether the catalogue can keep `value` as JSON."""
    try:
        json.dumps(value, allow_nan=False, default=_as_object, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
