"""What enrichers told is told again for the same input, and for no other; what is of no use is not believed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media import plugins
from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
from retrovue_uow.media.remembering import Remembering, Told
from retrovue_uow.model import AssetDraft, AttachedEnricher, Json, Marker, Sidecar

FILM = AssetDraft("/mnt/tron.mkv", "/data/tron.mkv", 1000, 5, (Sidecar("/mnt/tron.nfo", 10, 6),), "movie", "Tron", 1982)
AVAIL, OPENING, ENDING = Marker("avail", 50), Marker("chapter", 0, 40, "Opening"), Marker("chapter", 900)


@attrs.define
class Counting:
    """An enricher that counts what it is asked and tells a duration, unless the test says otherwise."""

    enriching: Callable[[AssetDraft], Any] = lambda draft: attrs.evolve(draft, duration_ms=1000)
    version: str | None = "1"
    cached_by: str | None = "draft"
    timeout_s: float = 60
    seen: list[AssetDraft] = attrs.field(factory=list)

    def __call__(self, config: Json) -> Counting:
        return self

    def check(self) -> None:
        return

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        self.seen.append(draft)
        enriched: AssetDraft = self.enriching(draft)
        return enriched


class Another(Counting):
    """The same, but not the same."""


class Texts(dict[str, str]):
    """A memory, which a test can look into."""

    def put(self, key: str, text: str) -> None:
        self[key] = text

    def only_text(self) -> str:
        (text,) = self.values()
        return text


def sound(draft: AssetDraft) -> None:
    """Stands in for the rule: a duration is a number above 0, and names are text."""
    if not isinstance(draft.title, str | None):
        raise ValidationError("the title is no text")
    if draft.duration_ms is not None and (not isinstance(draft.duration_ms, int) or draft.duration_ms < 1):
        raise ValidationError("the duration is not above 0")


def ready(enricher: Counting, type: str = "counting", **config: object) -> ReadyEnricher:  # noqa: A002  the contract's word
    (made,) = plugins.ready([AttachedEnricher(type, config)], {type: enricher})
    return made


@pytest.fixture
def memory() -> Texts:
    return Texts()


Run = Callable[..., AssetDraft]


@pytest.fixture
def run(memory: Texts) -> Run:
    """Enriches one draft."""

    def enriched(draft: AssetDraft, enricher: Counting | ReadyEnricher, *, recalls: bool = True) -> AssetDraft:
        made = ready(enricher) if isinstance(enricher, Counting) else enricher
        (result,) = enrich_all([draft], [made], remembering=Remembering(memory, sound, recalls))
        assert result is not None
        return result

    return enriched


CHANGES: Sequence[tuple[AssetDraft, dict[str, Any]]] = [
    (FILM, {}),
    (FILM, {"duration_ms": 1000, "container": "mkv", "width": 640}),
    (FILM, {"title": None, "year": None, "kind": None}),
    (FILM, {"kind": "episode", "season_number": 0, "episode_numbers": (2, 3)}),
    (FILM, {"markers": (OPENING, ENDING)}),
    (attrs.evolve(FILM, markers=(OPENING, AVAIL)), {"markers": (AVAIL, ENDING)}),
    (attrs.evolve(FILM, markers=(OPENING, AVAIL)), {"markers": (AVAIL,)}),
    (FILM, {"metadata": {"fake": {"größe": [1, {"a": None}], "tags": ["b"]}}}),
    (attrs.evolve(FILM, metadata={"a": {"x": 1}, "b": {}}), {"metadata": {"b": {}, "c": {"y": 1.5}}}),
]


@pytest.mark.parametrize(("draft", "changes"), CHANGES, ids=lambda value: str(sorted(value)) if isinstance(value, dict) else "")
def test_what_was_told_once_is_told_again_the_same(run: Run, draft: AssetDraft, changes: dict[str, Any]) -> None:
    enricher = Counting(lambda found: attrs.evolve(found, **changes))

    first = run(draft, enricher)
    second = run(draft, enricher)

    assert first == second == attrs.evolve(draft, **changes)
    assert len(enricher.seen) == 1


def test_only_what_was_changed_is_kept(run: Run, memory: Texts) -> None:
    run(attrs.evolve(FILM, metadata={"a": {"x": 1}}), Counting())

    assert json.loads(memory.only_text()) == {
        "path": "/mnt/tron.mkv",
        "fields": {"duration_ms": 1000},
        "markers": {},
        "metadata": {},
        "removed": [],
    }


OF_THE_FILE = {"file_path": "/mnt/other.mkv", "size": 1001, "mtime_ns": 6}
OF_THE_DRAFT = {
    "source_path": "/data/other.mkv",
    "sidecars": (Sidecar("/mnt/tron.nfo", 11, 6),),
    "title": "Trön",
    "duration_ms": 7,
    "markers": (AVAIL,),
    "metadata": {"filename": {}},
}
NEWER_SIDECAR = {"sidecars": (Sidecar("/mnt/tron.nfo", 10, 7),)}


@pytest.mark.parametrize("cached_by", ["file", "draft"])
@pytest.mark.parametrize(
    ("change", "of_the_file"),
    [
        *(({name: value}, True) for name, value in OF_THE_FILE.items()),
        *(({name: value}, False) for name, value in OF_THE_DRAFT.items()),
        (NEWER_SIDECAR, False),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)
def test_another_input_is_asked_about_again(run: Run, cached_by: str, change: dict[str, Any], *, of_the_file: bool) -> None:
    enricher = Counting(cached_by=cached_by)
    run(FILM, enricher)

    run(attrs.evolve(FILM, **change), enricher)

    assert len(enricher.seen) == (2 if of_the_file or cached_by == "draft" else 1)


@pytest.mark.parametrize("cached_by", ["file", "draft"])
@pytest.mark.parametrize(
    "other",
    [
        lambda cached_by: ready(Counting(version="2", cached_by=cached_by)),
        lambda cached_by: ready(Counting(cached_by=cached_by), deep=True),
        lambda cached_by: ready(Counting(cached_by=cached_by), type="other"),
        lambda cached_by: ready(Another(cached_by=cached_by)),
    ],
    ids=["version", "configuration", "type", "class"],
)
def test_another_enricher_is_asked_itself(run: Run, cached_by: str, other: Callable[[str], ReadyEnricher]) -> None:
    run(FILM, Counting(cached_by=cached_by))
    asked = other(cached_by)
    assert isinstance(asked.enricher, Counting)

    for _ in range(2):
        run(FILM, asked)

    assert len(asked.enricher.seen) == 1


def test_the_order_of_a_configuration_or_of_domains_makes_no_difference(run: Run) -> None:
    enricher = Counting()
    run(attrs.evolve(FILM, metadata={"a": {}, "b": {"x": 1, "y": 2}}), ready(enricher, k=1, l=2))

    run(attrs.evolve(FILM, metadata={"b": {"y": 2, "x": 1}, "a": {}}), ready(enricher, l=2, k=1))

    assert len(enricher.seen) == 1


@pytest.mark.parametrize(
    ("enricher", "draft"),
    [
        (Counting(version=None), FILM),
        (Counting(version=""), FILM),
        (Counting(version=""), attrs.evolve(FILM, sidecars=None)),
        (Counting(cached_by=None), FILM),
        (Counting(cached_by="file", version=None), FILM),
        (Counting(), attrs.evolve(FILM, size=None)),
        (Counting(cached_by="file"), attrs.evolve(FILM, mtime_ns=None)),
    ],
    ids=["no version", "empty version", "no sidecars", "never", "file without version", "no size", "no mtime"],
)
def test_what_nothing_vouches_for_is_never_kept(run: Run, memory: Texts, enricher: Counting, draft: AssetDraft) -> None:
    enricher.seen.clear()

    for _ in range(2):
        assert run(draft, enricher).duration_ms == 1000

    assert len(enricher.seen) == 2
    assert memory == {}


def test_an_enricher_without_the_attributes_is_asked_every_time(memory: Texts) -> None:
    class Plain:
        seen = 0

        def check(self) -> None:
            return

        def enrich(self, draft: AssetDraft) -> AssetDraft:
            self.seen += 1
            return attrs.evolve(draft, duration_ms=1)

    plain = Plain()
    made = plugins.ready([AttachedEnricher("plain")], {"plain": lambda config: plain})
    for _ in range(2):
        enrich_all([FILM], made, remembering=Remembering(memory, sound))

    assert plain.seen == 2
    assert memory == {}


class TestFile:
    """Enrichers that say `cached_by = "file"`."""

    @staticmethod
    def probing(draft: AssetDraft) -> AssetDraft:
        return attrs.evolve(draft, duration_ms=1000, markers=(OPENING, ENDING), metadata={"probed": {"bit_rate": 1}})

    @pytest.mark.parametrize("version", ["1", None])
    def test_they_are_shown_the_file_and_nothing_else(self, run: Run, version: str | None) -> None:
        enricher = Counting(cached_by="file", version=version)

        run(attrs.evolve(FILM, duration_ms=7, markers=(AVAIL,), metadata={"a": {}}), enricher)

        assert enricher.seen == [AssetDraft("/mnt/tron.mkv", "/mnt/tron.mkv", 1000, 5)]

    def test_what_they_tell_is_laid_over_whatever_draft_comes(self, run: Run) -> None:
        enricher = Counting(self.probing, cached_by="file")
        first = run(FILM, enricher)
        unknown = AssetDraft("/mnt/tron.mkv", "/elsewhere/t.mkv", 1000, 5, metadata={"filename": {}, "probed": {"old": 1}})

        second = run(attrs.evolve(unknown, duration_ms=7, width=640, markers=(AVAIL, Marker("chapter", 3))), enricher)

        assert first == self.probing(FILM)
        assert second == attrs.evolve(
            unknown,
            duration_ms=1000,
            width=640,
            markers=(AVAIL, OPENING, ENDING),
            metadata={"filename": {}, "probed": {"bit_rate": 1}},
        )
        assert len(enricher.seen) == 1

    def test_what_the_draft_says_already_is_told_to_the_next_one_too(self, run: Run) -> None:
        enricher = Counting(self.probing, cached_by="file")
        run(self.probing(FILM), enricher)

        assert run(FILM, enricher) == self.probing(FILM)
        assert len(enricher.seen) == 1


def test_asked_again_it_is_not_recalled_and_the_new_answer_replaces_the_old_one(run: Run) -> None:
    old, new = Counting(), Counting(lambda draft: attrs.evolve(draft, duration_ms=2000))
    run(FILM, old)

    assert run(FILM, new, recalls=False).duration_ms == 2000
    assert run(FILM, old).duration_ms == 2000
    assert (len(old.seen), len(new.seen)) == (1, 1)


class TestFailures:
    def test_an_error_is_not_kept(self, run: Run, memory: Texts) -> None:
        def failing(draft: AssetDraft) -> AssetDraft:
            raise ResourceError("the disk is away")

        with pytest.raises(ResourceError):
            run(FILM, Counting(failing))

        assert memory == {}
        assert run(FILM, Counting()).duration_ms == 1000

    @pytest.mark.parametrize("changes", [{"duration_ms": -5}, {"title": 7}, {"metadata": {"a": {1, 2}}}], ids=str)
    def test_what_cannot_be_is_returned_but_not_kept(self, run: Run, memory: Texts, changes: dict[str, Any]) -> None:
        enricher = Counting(lambda draft: attrs.evolve(draft, **changes))

        assert run(FILM, enricher) == attrs.evolve(FILM, **changes)
        assert memory == {}

    @pytest.mark.parametrize("changes", [{"markers": None}, {"markers": ("chapter",)}, {"metadata": None}], ids=str)
    @pytest.mark.parametrize("cached_by", ["file", "draft", None])
    def test_what_has_no_shape_is_refused_by_name(
        self, run: Run, memory: Texts, changes: dict[str, Any], cached_by: str | None
    ) -> None:
        with pytest.raises(ValidationError, match=r"'counting' returned .* '/mnt/tron.mkv'"):
            run(FILM, Counting(lambda draft: attrs.evolve(draft, **changes), cached_by=cached_by))

        assert memory == {}

    def test_a_late_answer_is_not_kept(self, memory: Texts) -> None:
        released, answered = threading.Event(), threading.Event()

        def hanging(draft: AssetDraft) -> AssetDraft:
            released.wait(20)
            answered.set()
            return attrs.evolve(draft, duration_ms=1)

        with pytest.raises(ResourceError, match="gave no answer"):
            enrich_all([FILM], [ready(Counting(hanging, timeout_s=0.1))], remembering=Remembering(memory, sound))
        released.set()
        answered.wait(20)
        time.sleep(0.05)

        assert memory == {}

    def test_what_was_told_before_a_failure_or_ctrl_c_is_kept(self, memory: Texts) -> None:
        drafts = [attrs.evolve(FILM, size=n + 1) for n in range(50)]
        enricher = Counting()

        def cancel(done: int, total: int | None, path: str) -> None:
            if done == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            enrich_all(drafts, [ready(enricher)], remembering=Remembering(memory, sound), progress=cancel)

        assert len(memory) >= 20
        enricher.seen.clear()
        enrich_all(drafts, [ready(enricher)], remembering=Remembering(memory, sound))
        assert len(enricher.seen) <= 30

    def test_a_failure_of_a_later_enricher_costs_no_answer_of_an_earlier_one(self, run: Run, memory: Texts) -> None:
        def failing(draft: AssetDraft) -> AssetDraft:
            raise ResourceError("the disk is away")

        first, second = Counting(), Counting(failing)
        with pytest.raises(ResourceError):
            enrich_all([FILM], [ready(first), ready(second, "second")], remembering=Remembering(memory, sound))

        run(FILM, first)

        assert len(first.seen) == 1


SOUND: dict[str, Any] = {"path": "/mnt/tron.mkv", "fields": {"duration_ms": 2000}, "markers": {}, "metadata": {}, "removed": []}
POISON: dict[str, object] = {
    "no JSON": "{",
    "nothing": "",
    "not an object": [1],
    "empty": {},
    "another path": {**SOUND, "path": "/mnt/other.mkv"},
    "a wrong type": {**SOUND, "fields": {"duration_ms": "2000"}},
    "an impossible value": {**SOUND, "fields": {"duration_ms": -5}},
    "a field of the importer": {**SOUND, "fields": {"size": 5}},
    "a field that moves the file": {**SOUND, "fields": {"file_path": "/etc/passwd"}},
    "an unknown field": {**SOUND, "fields": {"approved": True}},
    "fields that are none": {**SOUND, "fields": 7},
    "a marker with too much": {**SOUND, "markers": {"chapter": [[1, 2, "a", "b"]]}},
    "markers that are none": {**SOUND, "markers": ["chapter"]},
    "metadata that is none": {**SOUND, "metadata": ["a"]},
    "removed that is none": {**SOUND, "removed": 7},
    "too deep": "[" * 100_000,
}


def test_the_text_that_the_poison_is_made_of_is_sound(run: Run, memory: Texts) -> None:
    run(FILM, Counting())
    memory.update(dict.fromkeys(memory, json.dumps(SOUND)))

    assert run(FILM, Counting()).duration_ms == 2000


@pytest.mark.parametrize("cached_by", ["file", "draft"])
@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_text_that_makes_no_sense_counts_as_absent_and_is_replaced(
    run: Run, memory: Texts, poison: object, cached_by: str
) -> None:
    enricher = Counting(cached_by=cached_by)
    expected = run(FILM, enricher)
    before = memory.only_text()
    memory.update(dict.fromkeys(memory, poison if isinstance(poison, str) else json.dumps(poison)))

    assert run(FILM, enricher) == expected
    assert len(enricher.seen) == 2
    assert memory.only_text() == before


def test_every_field_that_an_enricher_may_fill_can_be_kept() -> None:
    names = {field.name for field in attrs.fields(AssetDraft)}
    importers = {"file_path", "source_path", "size", "mtime_ns", "sidecars"}
    full = attrs.evolve(
        FILM,
        kind="episode",
        season_number=1,
        episode_numbers=(1,),
        episode_title="Pilot",
        duration_ms=1,
        container="mkv",
        video_codec="h264",
        audio_codec="aac",
        width=1,
        height=1,
        markers=(OPENING,),
        metadata={"a": {}},
    )
    bare = AssetDraft(**{name: getattr(FILM, name) for name in importers})
    assert not [name for name in names if getattr(full, name) == getattr(bare, name) and name not in importers]

    text = Told.between(bare, full).as_text("/mnt/tron.mkv")

    assert Told.of_text(text, "/mnt/tron.mkv").over(bare) == full
