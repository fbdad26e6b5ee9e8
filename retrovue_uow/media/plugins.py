"""Importers and enrichers: found by type, made, and asked, however they behave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as Collected
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import attrs

from retrovue_uow.errors import ResourceError, RetroVueError, ValidationError, loading
from retrovue_uow.media.enrichment import ReadyEnricher
from retrovue_uow.media.interfaces import Enricher, EnricherFactory, Importer, ImporterFactory
from retrovue_uow.media.paths import without_password
from retrovue_uow.model import (
    Asset,
    AssetDraft,
    AttachedEnricher,
    Collection,
    Extension,
    FoundCollection,
    IngestFilters,
    Json,
    PathMapping,
    Progress,
    Source,
    digest,
)
from retrovue_uow.secrets import redacting_errors, resolved

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

IMPORTER_GROUP = "retrovue_uow.importers"
ENRICHER_GROUP = "retrovue_uow.enrichers"
PROTECTION_GROUP = "retrovue_uow.protections"
EXTENSION_GROUP = "retrovue_uow.extensions"
DEFAULT_TIMEOUT_S = 60.0
CACHED_BY = ("file", "draft", None)

_BUILT_IN = {
    IMPORTER_GROUP: {
        "filesystem": "retrovue_uow.media.walk:FilesystemImporter",
        "kodi": "retrovue_uow.media.kodi:KodiImporter",
    },
    ENRICHER_GROUP: {
        "filename": "retrovue_uow.media.filenames:FilenameEnricher",
        "nfo": "retrovue_uow.media.nfo:NfoEnricher",
        "ffprobe": "retrovue_uow.media.probing:FfprobeEnricher",
    },
}

P = ParamSpec("P")
T = TypeVar("T")


def entry_points(*, group: str) -> Iterable[EntryPoint]:
    """The entry points that the installed distributions offer in a group."""
    with loading("what other distributions offer"):
        from importlib import metadata  # slow to import and to ask, and most catalogues use built-in types alone

        return metadata.entry_points(group=group)


class Factories(Mapping[str, Callable[[Json], Any]]):
    """The factory of each type of a group, by name; other distributions are asked only for a type that nobody else has."""

    def __init__(self, group: str, extra: Mapping[str, Callable[[Json], Any]]) -> None:
        self._group = group
        self._at_hand: dict[str, Callable[[Json], Any]] = {
            **{name: partial(_built_in, target) for name, target in _BUILT_IN[group].items()},
            **extra,
        }

    @cached_property
    def _all(self) -> Mapping[str, Callable[[Json], Any]]:
        foreign = sorted(entry_points(group=self._group), key=_distribution)
        return {**{each.name: partial(_provided, each) for each in foreign}, **self._at_hand}

    def __getitem__(self, name: str) -> Callable[[Json], Any]:
        return self._at_hand[name] if name in self._at_hand else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def importer_factories(extra: Mapping[str, ImporterFactory]) -> Mapping[str, ImporterFactory]:
    """Every importer type there is. `extra` wins over the built-in ones, those over other distributions'."""
    return Factories(IMPORTER_GROUP, extra)


def enricher_factories(extra: Mapping[str, EnricherFactory], *, ffprobe: str | None = None) -> Mapping[str, EnricherFactory]:
    """Likewise. `ffprobe` is the program that the built-in enricher of that name runs, in place of its own choice."""
    target = _BUILT_IN[ENRICHER_GROUP]["ffprobe"]
    chosen = {} if ffprobe is None else {"ffprobe": partial(_built_in, target, executable=ffprobe)}
    return Factories(ENRICHER_GROUP, {**chosen, **extra})


def protections() -> list[Callable[[Asset], bool]]:
    """The functions by which other distributions protect assets: each says whether an asset is protected."""
    return [_loaded(each) for each in sorted(entry_points(group=PROTECTION_GROUP), key=_distribution)]


def extensions(names: Collected[str]) -> list[Extension]:
    """The extensions of these names that other distributions offer."""
    offered = sorted(entry_points(group=EXTENSION_GROUP), key=_distribution)
    return [Extension(each.name, each.module) for each in {each.name: each for each in offered}.values() if each.name in names]


def make_importer(type: str, config: Json, factories: Mapping[str, ImporterFactory]) -> Importer:  # noqa: A002  the contract's word
    """The importer of that type, configured; with the true values where `config` has references (`env:NAME`).

    Raises:
        ValidationError: nobody has such a type, or its configuration is wrong.
        ResourceError: the type cannot be imported, what it made is not an importer, or a referred variable is not set.
    """
    return _made("importer", type, config, factories, methods=("check", "collections", "discover"))


def make_enricher(type: str, config: Json, factories: Mapping[str, EnricherFactory]) -> Enricher:  # noqa: A002  the contract's word
    """The enricher of that type, configured. Raises as `make_importer` does."""
    return _made("enricher", type, config, factories, methods=("check", "enrich"))


def ready(
    attached: Sequence[AttachedEnricher],
    factories: Mapping[str, EnricherFactory],
    mappings: Sequence[PathMapping] = (),
) -> list[ReadyEnricher]:
    """The attached enrichers, made, told of the path mappings, in running order.

    Raises:
        ValidationError: nobody has some of the types, all of which are named, or a configuration is wrong.
        ResourceError: as `make_importer`.
    """
    in_order = running_order(attached)
    gone = [each.type for each in in_order if each.type not in factories]
    if gone:
        raise ValidationError(
            f"there is no enricher type {', '.join(map(repr, gone))}: "
            "install what provides it, or detach it (`enricher detach`)"
        )
    made = [(each, make_enricher(each.type, each.config, factories)) for each in in_order]
    for each, enricher in made:
        begin = getattr(enricher, "begin", None)
        if callable(begin):
            with _foreign_code(f"enricher {each.type!r} failed before its first file", each.config):
                begin(mappings)
    return [_ready(each, enricher) for each, enricher in made]


def running_order(attached: Sequence[AttachedEnricher]) -> list[AttachedEnricher]:
    """Lower priorities first, equal ones by type."""
    return sorted(attached, key=attrgetter("priority", "type"))


def fingerprint(attached: Sequence[AttachedEnricher], enrichers: Sequence[Enricher]) -> str:
    """16 hexadecimal digits that change with the types, configurations, versions and order of the enrichers that `ready` made.

    A reference in a configuration counts as it stands, not as what it refers to.
    """
    facts = [
        [each.type, each.config, str(getattr(enricher, "version", ""))]
        for each, enricher in zip(running_order(attached), enrichers, strict=True)
    ]
    return digest(_as_text(facts))[:16]


def check(owner: str, checking: Callable[[], None], *, config: Json, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
    """Raise what the `check` of `owner` (such as `"importer 'plex'"`) raises, as an error of this library.

    The error shows no secret of `config`, the owner's configuration.
    """
    with _foreign_code(f"{owner} is not available", config):
        try:
            call_within(timeout_s, checking)
        except TimeoutError as error:
            raise ResourceError(f"{owner} gave no answer within {timeout_s:g} s: is what it asks asleep or gone?") from error


def timeout_of(owner: str, plugin: object) -> float:
    """The seconds that a call of an importer or enricher may take; `owner` is how messages call it."""
    timeout_s = getattr(plugin, "timeout_s", DEFAULT_TIMEOUT_S)
    if not isinstance(timeout_s, int | float) or not 0 < timeout_s <= threading.TIMEOUT_MAX:
        raise ResourceError(f"{owner} has timeout_s={timeout_s!r}: it must be a number of seconds above 0")
    return float(timeout_s)


def max_missing_of(owner: str, importer: Importer) -> float:
    """The part of a collection's assets that its source may no longer name, unless the operator says otherwise."""
    part = getattr(importer, "max_missing", 1.0)
    if isinstance(part, bool) or not isinstance(part, int | float) or not 0 <= part <= 1:
        raise ResourceError(f"{owner} has max_missing={part!r}: it must be a number from 0 to 1")
    return part


def reported_collections(importer: Importer, source: Source) -> list[FoundCollection]:
    owner = f"the importer of source {source.name!r}"
    with _foreign_code(f"{owner} could not list its collections", source.config):
        timeout_s = timeout_of(owner, importer)
        try:
            reported = call_within(timeout_s, lambda: list(importer.collections()))
        except TimeoutError as error:
            raise ResourceError(
                f"{owner} listed no collections within {timeout_s:g} s: is its server asleep or gone?"
            ) from error
        for found in reported:
            if not isinstance(found, FoundCollection):
                raise ValidationError(
                    f"the importer of source {source.name!r} reported {found!r}, not a FoundCollection: mend it"
                )
    return reported


def discover(
    importer: Importer,
    collection: Collection,
    filters: IngestFilters,
    skip: Callable[[str, str], None],
    *,
    progress: Progress | None = None,
) -> list[AssetDraft]:
    """All that `importer` finds. What `progress` raises passes through untouched.

    Raises:
        RetroVueError: what the importer raised on purpose.
        ResourceError: it failed in another way, or kept us waiting for the next draft.
        ValidationError: it yielded something that is not a draft.
    """
    own = getattr(importer, "file_drafts", None)
    mappings = collection.path_mappings
    asked = collection, mappings, filters
    find = partial(own, *asked, skip) if callable(own) else partial(importer.discover, *asked)
    owner = f"the importer of collection {collection.name!r}"
    drafts: list[AssetDraft] = []
    for draft in _yielded(partial(_each_within, timeout_of(owner, importer), find, owner), collection, "files"):
        if not isinstance(draft, AssetDraft):
            last = repr(drafts[-1].file_path) if drafts else "the start"
            raise ValidationError(
                f"the importer of collection {collection.name!r} yielded a {type(draft).__name__} after {last},"
                " not an AssetDraft: mend the importer"
            )
        drafts.append(masked_draft(draft))
        if progress:
            progress(len(drafts), None, draft.file_path)
    return drafts


def file_runs(
    importer: Importer,
    collection: Collection,
    filters: IngestFilters,
    skip: Callable[[str, str, RetroVueError | None], None],
) -> Iterator[Any] | None:
    """The `walk.Run`s that the importer finds, or None where it offers drafts alone. Raises as `discover` does."""
    find = getattr(importer, "file_runs", None)
    if not callable(find):
        return None
    return _yielded(lambda: find(collection.path_mappings, filters, skip), collection, "runs of files")


def _yielded(find: Callable[[], Iterable[T]], collection: Collection, noun: str) -> Iterator[T]:
    count = 0
    try:
        for each in find():
            yield each
            count += 1
    except RetroVueError:
        raise
    except Exception as error:  # an importer is somebody else's code
        raise ResourceError(f"the importer of collection {collection.name!r} failed after {count} {noun}: {error!r}") from error


def _each_within(seconds: float, find: Callable[[], Iterable[T]], owner: str) -> Iterator[T]:
    """What `find` yields, each within `seconds` of the one before. It runs in a daemon thread; a late one is abandoned."""
    answers: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    is_abandoned = threading.Event()

    def run() -> None:
        try:
            for each in find():
                answers.put((each,))
                if is_abandoned.is_set():
                    return
            answers.put(None)
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to the caller's thread
            answers.put(error)

    asking = threading.Thread(target=run, name="retrovue-discovery", daemon=True)
    asking.start()
    try:
        while isinstance(answer := answers.get(timeout=seconds), tuple):
            yield answer[0]
    except Empty as error:
        raise ResourceError(
            f"{owner} has found nothing more for {seconds:g} s: is its server or disk asleep or gone?"
        ) from error
    finally:
        is_abandoned.set()
    asking.join()  # it has nothing left to do, and a unit that it left open is nobody's
    if answer is not None:
        raise answer


def masked_draft(draft: AssetDraft) -> AssetDraft:
    """The draft without a password in the path that the source reports, so that nothing that shows the path shows it."""
    path = draft.source_path
    shown = without_password(path) if isinstance(path, str) else path
    return draft if shown == path else attrs.evolve(draft, source_path=shown)


def call_within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns or raises, or `TimeoutError` if it is still busy after `seconds`.

    The call runs in a daemon thread. A late one is abandoned: its outcome is discarded and it keeps no process alive.
    A `TimeoutError` of the function itself looks the same; return it as a value where that matters.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to the caller's thread
            outcome.set_exception(error)

    threading.Thread(target=run, name="retrovue-time-limit", daemon=True).start()
    return outcome.result(timeout=seconds)


def refuse_unknown_keys(config: Json, known: Collected[str], owner: str) -> None:
    """Raise `ValidationError` if `config` has a key that `owner` does not know."""
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise ValidationError(f"{owner} does not know the configuration {unknown}: it knows {sorted(known)}")


def _built_in(target: str, config: Json, **arguments: str) -> Any:
    module, _, name = target.partition(":")
    with loading(target):
        factory = getattr(import_module(module), name)
    return factory(config, **arguments)


def _provided(entry_point: EntryPoint, config: Json) -> Any:
    return _loaded(entry_point)(config)


def _loaded(entry_point: EntryPoint) -> Callable[[Any], Any]:
    try:
        found: Callable[[Any], Any] = entry_point.load()
    except Exception as error:  # importing runs whatever the other distribution wrote
        raise ResourceError(
            f"type {entry_point.name!r} of distribution {_distribution(entry_point)!r} cannot be imported"
            f" ({error}): reinstall that distribution or take the type out of use"
        ) from error
    return found


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "retrovue_uow"


@contextmanager
def _foreign_code(trouble: str, config: Json) -> Iterator[None]:
    """Let no error out of the block but the library's own, and none that shows a secret of `config`."""
    with redacting_errors(config):
        try:
            yield
        except RetroVueError:
            raise
        except Exception as error:
            raise ResourceError(f"{trouble}: {error!r}") from error


def _made(
    noun: str, type_name: str, config: Json, factories: Mapping[str, Callable[[Json], T]], *, methods: Sequence[str]
) -> T:
    factory = factories.get(type_name)
    if factory is None:
        raise ValidationError(
            f"there is no {noun} type {type_name!r}: install what provides it, or choose one of {sorted(factories)}"
        )
    true_config = resolved(config, f"{noun} {type_name!r}")
    with _foreign_code(f"{noun} type {type_name!r} cannot be made (see its documentation)", config):
        made = factory(true_config)
        lacking = [method for method in methods if not callable(getattr(made, method, None))]
        if lacking:
            raise ResourceError(f"{noun} type {type_name!r} made {made!r}, which lacks {lacking}: mend its factory")
    return made


def _ready(attached: AttachedEnricher, enricher: Enricher) -> ReadyEnricher:
    timeout_s = timeout_of(f"enricher {attached.type!r}", enricher)
    cached_by = getattr(enricher, "cached_by", None)
    if cached_by not in CACHED_BY:
        raise ResourceError(f"enricher {attached.type!r} has cached_by={cached_by!r}: it must be one of {CACHED_BY}")
    version: object = getattr(enricher, "version", None)
    kind = type(enricher)  # the same type may be somebody else's enricher by now
    facts = [attached.type, f"{kind.__module__}.{kind.__qualname__}", attached.config, version]
    return ReadyEnricher(
        type=attached.type,
        enricher=enricher,
        timeout_s=timeout_s,
        identifies=bool(getattr(enricher, "identifies", True)),
        needs_file_only=cached_by == "file",
        identity=_as_text(facts) if version and isinstance(version, str) else "",
        config=attached.config,
    )


def _as_text(facts: Sequence[object]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), default=dict)
