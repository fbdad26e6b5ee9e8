"""Types by name: built in, from other distributions, and brought by the caller; and what they answer, in time or not."""

from __future__ import annotations

import ast
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from configparser import ConfigParser
from importlib import import_module, metadata
from pathlib import Path

import attrs
import pytest
from harness import entry

from retrovue_uow.errors import BusinessRuleError, ResourceError, ValidationError
from retrovue_uow.media import plugins
from retrovue_uow.media.interfaces import Enricher, EnricherFactory
from retrovue_uow.media.plugins import enricher_factories, fingerprint, importer_factories, make_enricher, make_importer, ready
from retrovue_uow.media.probing import FfprobeEnricher
from retrovue_uow.media.walk import FilesystemImporter, Skip
from retrovue_uow.model import (
    AssetDraft,
    AttachedEnricher,
    Collection,
    FoundCollection,
    IngestFilters,
    Json,
    PathMapping,
    Source,
)


class Plain:
    """An enricher with nothing but its two methods."""

    def __init__(self, config: Json) -> None:
        self.config = config

    def check(self) -> None:
        return

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        return draft


class Versioned(Plain):
    version = "2"
    timeout_s = 5
    identifies = False


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Another distribution on the path, with these lines as its entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(entry_points: str) -> None:
        folder = tmp_path / "vintage_station-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: vintage-station\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(entry_points)
        (tmp_path / "vintage_station_broken.py").write_text("raise ImportError('no libother')\n")
        (tmp_path / "vintage_station.py").write_text(
            "class Importer:\n"
            "    def __init__(self, config): self.config = config\n"
            "    def check(self): ...\n"
            "    def collections(self): return ()\n"
            "    def discover(self, collection, mappings, filters): return ()\n"
        )

    return make


def test_built_in_types_are_there_without_the_packages_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: metadata.EntryPoints())

    assert set(importer_factories({})) == {"filesystem", "kodi"}
    assert set(enricher_factories({})) == {"filename", "nfo", "ffprobe"}
    assert isinstance(make_importer("filesystem", {}, importer_factories({})), FilesystemImporter)
    for name in ("filename", "nfo", "ffprobe"):
        make_enricher(name, {}, enricher_factories({}))


def test_other_distributions_are_looked_for_only_where_no_type_at_hand_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nothing(*, group: str) -> list[metadata.EntryPoint]:
        asked.append(group)
        return []

    monkeypatch.setattr(plugins, "entry_points", nothing)

    factories = importer_factories({"mine": FilesystemImporter})
    make_importer("filesystem", {}, factories)
    assert "mine" in factories
    assert asked == []

    assert "plex" not in factories
    assert len(factories) == 3
    assert asked == ["retrovue_uow.importers"]


def test_a_configuration_reaches_its_enricher() -> None:
    enricher = make_enricher("ffprobe", {"timeout_s": 7}, enricher_factories({}))

    assert isinstance(enricher, FfprobeEnricher)
    assert enricher.timeout_s == 7


def test_only_the_type_asked_for_is_imported(distribution: Callable[[str], None]) -> None:
    distribution("[retrovue_uow.importers]\nother = vintage_station:Importer\nbroken = vintage_station_broken:Importer\n")

    factories = importer_factories({})
    assert "vintage_station" not in sys.modules
    importer = make_importer("other", {"a": 1}, factories)

    assert vars(importer) == {"config": {"a": 1}}
    assert set(factories) >= {"filesystem", "other", "broken"}
    sys.modules.pop("vintage_station")


@pytest.mark.parametrize("target", ["vintage_station_broken:Importer", "vintage_station:Missing", "no_such_module:Importer"])
def test_a_type_that_cannot_be_imported_is_named_with_its_distribution(
    distribution: Callable[[str], None], target: str
) -> None:
    distribution(f"[retrovue_uow.importers]\nbroken = {target}\n")

    with pytest.raises(ResourceError, match=r"'broken' of distribution 'vintage-station'") as caught:
        make_importer("broken", {}, importer_factories({}))
    assert isinstance(caught.value.__cause__, ImportError | AttributeError)


def test_another_distribution_does_not_replace_a_built_in_type(distribution: Callable[[str], None]) -> None:
    distribution("[retrovue_uow.importers]\nfilesystem = vintage_station:Importer\n")

    assert isinstance(make_importer("filesystem", {}, importer_factories({})), FilesystemImporter)


def test_what_the_caller_brings_wins() -> None:
    def filesystem(config: Json) -> FilesystemImporter:
        return FilesystemImporter({"extensions": ["mine"]})

    assert isinstance(make_enricher("ffprobe", {}, enricher_factories({"ffprobe": Plain})), Plain)
    assert importer_factories({"filesystem": filesystem})["filesystem"] is filesystem


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"no enricher type 'nof'.*'ffprobe', 'filename', 'nfo'"):
        make_enricher("nof", {}, enricher_factories({}))
    with pytest.raises(ValidationError, match=r"no importer type 'plex'.*\['filesystem'"):
        make_importer("plex", {}, importer_factories({}))


def test_a_factorys_own_refusal_passes() -> None:
    with pytest.raises(ValidationError, match="does not know the configuration"):
        make_importer("filesystem", {"rooot": "/"}, importer_factories({}))


def test_a_factory_that_fails_is_named() -> None:
    error = KeyError("token")

    def failing(config: Json) -> Enricher:
        raise error

    with pytest.raises(ResourceError, match=r"enricher type 'mine' .*KeyError\('token'\)") as caught:
        make_enricher("mine", {}, {"mine": failing})
    assert caught.value.__cause__ is error


def test_what_is_no_enricher_is_refused() -> None:
    class HalfDone:
        def __init__(self, config: Json) -> None:
            return

        def check(self) -> None:
            return

    factory: EnricherFactory = HalfDone  # type: ignore[assignment]  # the point of the test
    with pytest.raises(ResourceError, match=r"'mine' .*lacks \['enrich'\]"):
        make_enricher("mine", {}, {"mine": factory})


def test_ready_enrichers_come_in_running_order_with_their_attributes() -> None:
    attached = [
        AttachedEnricher("z", priority=1),
        AttachedEnricher("b", {"k": 1}, priority=50),
        AttachedEnricher("a", priority=50),
    ]

    made = ready(attached, {"a": Plain, "b": Versioned, "z": Plain})

    assert [(each.type, each.timeout_s, each.identifies) for each in made] == [
        ("z", 60, True),
        ("a", 60, True),
        ("b", 5, False),
    ]
    assert isinstance(made[2].enricher, Versioned)
    assert made[2].enricher.config == {"k": 1}


@pytest.mark.parametrize("timeout_s", [None, 0, -1, "60", float("nan")])
def test_a_time_limit_that_is_none_is_refused(timeout_s: object) -> None:
    class Timeless(Plain):
        pass

    Timeless.timeout_s = timeout_s  # type: ignore[attr-defined]  # not declared, as in the wild

    with pytest.raises(ResourceError, match="'mine' has timeout_s="):
        ready([AttachedEnricher("mine")], {"mine": Timeless})


@pytest.mark.parametrize("cached_by", ["path", "", True, "File"])
def test_a_basis_that_is_none_is_refused(cached_by: object) -> None:
    class Baseless(Plain):
        pass

    Baseless.cached_by = cached_by  # type: ignore[attr-defined]  # not declared, as in the wild

    with pytest.raises(ResourceError, match="'mine' has cached_by="):
        ready([AttachedEnricher("mine")], {"mine": Baseless})


def test_an_enricher_is_told_the_path_mappings_before_its_first_file() -> None:
    told: list[Sequence[PathMapping]] = []

    class Curious(Plain):
        def begin(self, mappings: Sequence[PathMapping]) -> None:
            told.append(mappings)
            raise KeyError("a bug")

    with pytest.raises(ResourceError, match="'mine' failed before its first file"):
        ready([AttachedEnricher("mine")], {"mine": Curious}, [PathMapping(1, "/a", "/b")])

    assert told == [[PathMapping(1, "/a", "/b")]]


def test_the_built_in_enrichers_say_what_their_results_depend_on() -> None:
    attached = [AttachedEnricher(name, priority=number) for number, name in enumerate(("filename", "nfo", "ffprobe"))]

    made = ready(attached, enricher_factories({}))

    assert [each.type for each in made if each.needs_file_only] == ["ffprobe"]
    assert all(each.identity for each in made)


def marks(*attached: AttachedEnricher, factory: EnricherFactory = Plain) -> str:
    made = ready(attached, {each.type: factory for each in attached})
    return fingerprint(attached, [each.enricher for each in made])


def test_the_fingerprint_is_stable_and_short() -> None:
    first = AttachedEnricher("a", {"x": 1, "y": [{"b": 1, "a": 2}]}, priority=1)
    second = AttachedEnricher("b", priority=2)

    assert marks(first, second) == "877c3830bda999d8"
    assert marks(second, first) == marks(first, second)
    assert marks(AttachedEnricher("a", {"y": [{"a": 2, "b": 1}], "x": 1}, priority=3), AttachedEnricher("b", priority=9)) == (
        marks(first, second)
    )
    assert len(marks()) == 16


def test_the_fingerprint_changes_with_type_configuration_version_and_order() -> None:
    a, b = AttachedEnricher("a", priority=1), AttachedEnricher("b", priority=2)
    prints = [
        marks(),
        marks(a),
        marks(b),
        marks(AttachedEnricher("a", {"x": 1})),
        marks(a, factory=Versioned),
        marks(a, b),
        marks(AttachedEnricher("a", priority=3), b),
    ]

    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("group", [plugins.IMPORTER_GROUP, plugins.ENRICHER_GROUP])
def test_what_this_distribution_offers_others_is_what_is_built_in(group: str) -> None:
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")

    offered = setup["options.entry_points"][group].split("\n")

    assert dict(line.split(" = ") for line in offered if line) == plugins._BUILT_IN[group]  # by which they are loaded


FILLED: dict[str, tuple[str, set[str]]] = {
    "filename": (
        "4",
        {"kind", "title", "year", "season_number", "episode_numbers", "episode_title", "part", "metadata", "warnings"},
    ),
    "nfo": ("2", {"kind", "title", "year", "season_number", "episode_numbers", "episode_title", "metadata", "warnings"}),
    "ffprobe": (
        "2",
        {"duration_ms", "container", "video_codec", "audio_codec", "width", "height", "markers", "metadata"},
    ),
}
"""The version of each built-in enricher, and the fields of a draft that it fills."""


@pytest.mark.parametrize(("name", "target"), plugins._BUILT_IN[plugins.ENRICHER_GROUP].items())
def test_a_built_in_enricher_that_fills_another_field_has_another_version(name: str, target: str) -> None:
    module, _, kind = target.partition(":")
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(import_module(module)))) if isinstance(node, ast.Call)]
    named = {each.arg for call in calls if ast.unparse(call.func) in ("attrs.evolve", "AssetDraft") for each in call.keywords}
    filled = named & {field.name for field in attrs.fields(AssetDraft)}

    pinned = entry(FILLED, name, "add to FILLED its version and the fields of a draft that it fills")
    assert (getattr(import_module(module), kind).version, filled) == pinned, (
        f"the enricher {name!r} is not as it is pinned in FILLED: where it fills another field, raise its `version`, so that "
        "refresh='changed' asks about the assets that the old one saw; then pin both here"
    )


class Yielding:
    """An importer that yields what the test gives it; an exception among that is raised."""

    def __init__(self, *yielded: object) -> None:
        self._yielded = yielded

    def check(self) -> None:
        return

    def collections(self) -> Iterable[FoundCollection]:
        return ()

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        for each in self._yielded:
            if isinstance(each, BaseException):
                raise each
            yield each  # type: ignore[misc]  # garbage is the point


def drained(importer: Yielding, progress: Callable[[int, int | None, str], None] | None = None) -> list[AssetDraft]:
    collection = Collection(id="c", source_id="s", name="Retro TV")
    return plugins.discover(importer, collection, IngestFilters(), lambda reason, path: None, progress=progress)


A, B = AssetDraft("/a", "/a"), AssetDraft("/b", "/b")


def test_discover_reports_each_draft_without_a_total() -> None:
    told: list[tuple[int, int | None, str]] = []

    assert drained(Yielding(A, B), lambda *call: told.append(call)) == [A, B]
    assert told == [(1, None, "/a"), (2, None, "/b")]


def test_an_importer_that_keeps_us_waiting_for_its_next_draft_is_abandoned() -> None:
    never, over = threading.Event(), threading.Event()

    class Hanging(Yielding):
        timeout_s = 0.1

        def discover(self, *asked: object) -> Iterator[AssetDraft]:
            try:
                yield A
                never.wait()
                yield B
                pytest.fail("nobody takes what comes after the time limit")
            finally:
                over.set()

    with pytest.raises(ResourceError, match="'Retro TV' has found nothing more for"):
        drained(Hanging())
    never.set()
    assert over.wait(10)


def test_an_importer_that_hangs_while_it_lists_its_collections_is_abandoned() -> None:
    never = threading.Event()

    class Hanging(Yielding):
        timeout_s = 0.1

        def collections(self) -> Iterable[FoundCollection]:
            never.wait()
            return ()

    with pytest.raises(ResourceError, match="the importer of source 'server' listed no collections within"):
        plugins.reported_collections(Hanging(), Source("s", "server", "hanging"))
    never.set()


def test_a_server_may_tell_what_can_be_no_asset() -> None:
    class Telling(Yielding):
        def file_drafts(self, *asked: object) -> Iterator[AssetDraft]:
            skip: Callable[[str, str], None] = asked[-1]  # type: ignore[assignment]  # the last of four
            skip("plugin", "plugin://b")
            yield A

    skipped: list[tuple[str, str]] = []
    found = plugins.discover(
        Telling(), Collection(id="c", source_id="s", name="Retro TV"), IngestFilters(), lambda *told: skipped.append(told)
    )

    assert (found, skipped) == ([A], [("plugin", "plugin://b")])


@pytest.mark.parametrize("part", [-0.1, 1.5, True, "half", None, float("nan")])
def test_a_part_that_may_be_missing_and_is_none_is_refused(part: object) -> None:
    importer = Yielding()
    importer.max_missing = part  # type: ignore[attr-defined]  # not declared, as in the wild

    with pytest.raises(ResourceError, match="the importer of 'server' has max_missing="):
        plugins.max_missing_of("the importer of 'server'", importer)


def test_an_importers_own_refusal_passes() -> None:
    error = BusinessRuleError("not on Sundays")

    with pytest.raises(BusinessRuleError) as caught:
        drained(Yielding(A, error))
    assert caught.value is error


def test_an_importer_that_fails_half_way_is_named() -> None:
    error = KeyError("{braces}")

    with pytest.raises(ResourceError, match=r"'Retro TV' failed after 2 files: KeyError") as caught:
        drained(Yielding(A, B, error))
    assert caught.value.__cause__ is error


def test_an_importer_whose_runs_of_files_fail_is_named() -> None:
    error = KeyError("{braces}")

    class Running(Yielding):
        def file_runs(self, mappings: Sequence[PathMapping], filters: IngestFilters, skip: Skip) -> Iterator[object]:
            return self.discover(collection, mappings, filters)

    collection = Collection(id="c", source_id="s", name="Retro TV")
    runs = plugins.file_runs(Running(A, error), collection, IngestFilters(), print)

    assert runs is not None
    with pytest.raises(ResourceError, match=r"'Retro TV' failed after 1 runs of files: KeyError") as caught:
        list(runs)
    assert caught.value.__cause__ is error
    assert plugins.file_runs(Yielding(A), collection, IngestFilters(), print) is None


def test_what_progress_raises_passes_untouched() -> None:
    error = LookupError("enough")

    def progress(done: int, total: int | None, path: str) -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        drained(Yielding(A, B), progress)
    assert caught.value is error


@pytest.mark.parametrize("garbage", [None, "path", {"file_path": "/x"}])
def test_what_is_not_a_draft_is_refused(garbage: object) -> None:
    with pytest.raises(ValidationError, match=rf"yielded a {type(garbage).__name__} after '/a'"):
        drained(Yielding(A, garbage))
    with pytest.raises(ValidationError, match=rf"yielded a {type(garbage).__name__} after the start"):
        drained(Yielding(garbage))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_call_in_time_returns_or_raises_what_the_function_does() -> None:
    error = SystemExit("its own")

    def failing() -> None:
        raise error

    assert plugins.call_within(5, divmod, 7, 2) == (3, 1)
    with pytest.raises(SystemExit) as caught:
        plugins.call_within(5, failing)
    assert caught.value is error


def test_a_late_call_is_abandoned_in_a_daemon_thread(release: threading.Event) -> None:
    threads: list[threading.Thread] = []

    def hanging() -> None:
        threads.append(threading.current_thread())
        release.wait()

    with pytest.raises(TimeoutError):
        plugins.call_within(0.05, hanging)
    assert threads[0].daemon
