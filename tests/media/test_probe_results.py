"""What was found in a file is found again in the same file, and in no other; what makes no sense is not believed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media import plugins
from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
from retrovue_uow.media.probe_results import ProbeResults
from retrovue_uow.model import AssetDraft, AttachedEnricher, Json, Marker, Sidecar

FILM = AssetDraft("/mnt/tron.mkv", "/data/tron.mkv", 1000, 5, (Sidecar("/mnt/tron.nfo", 10, 6),), "movie", "Tron", 1982)
AVAIL, OPENING, ENDING = Marker("avail", 50), Marker("chapter", 0, 40, "Opening"), Marker("chapter", 900)


@attrs.define
class Counting:
    """An enricher that counts what it is asked and measures a duration, unless the test says otherwise."""

    enriching: Callable[[AssetDraft], Any] = lambda draft: attrs.evolve(draft, duration_ms=1000)
    version: str | None = "1"
    cached_by: str | None = "file"
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
    """A cache, which a test can look into."""

    def read(self, keys: Iterable[str]) -> dict[str, str]:
        return {key: self[key] for key in keys if key in self}

    def put(self, key: str, text: str) -> None:
        self[key] = text

    def replace(self, value: object) -> None:
        """Put another text in the place of each."""
        self.update(dict.fromkeys(self, value if isinstance(value, str) else json.dumps(value)))


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
def cache() -> Texts:
    return Texts()


Run = Callable[..., AssetDraft]


@pytest.fixture
def run(cache: Texts) -> Run:
    """Enriches one draft, as one preparation."""

    def enriched(draft: AssetDraft, enricher: Counting | ReadyEnricher, *, recalls: bool = True) -> AssetDraft:
        made = ready(enricher) if isinstance(enricher, Counting) else enricher
        (result,) = enrich_all([draft], [made], results=ProbeResults(cache, sound, recalls))
        assert result is not None
        return attrs.evolve(result.draft, warnings=tuple(each.message for each in result.findings))

    return enriched


def probed(draft: AssetDraft) -> AssetDraft:
    return attrs.evolve(draft, duration_ms=1000, markers=(OPENING, ENDING), metadata={"probed": {"größe": [1, {"a": None}]}})


@pytest.mark.parametrize(
    "finding",
    [
        {},
        {"duration_ms": 1000, "container": "mkv", "width": 640},
        {"kind": "episode", "season_number": 0, "episode_numbers": (2, 3)},
        {"markers": (OPENING, ENDING)},
        {"metadata": {"fake": {"größe": [1, {"a": None}], "tags": ["b"]}}},
    ],
    ids=lambda finding: " ".join(finding),
)
def test_what_was_found_once_is_found_again(run: Run, finding: dict[str, Any]) -> None:
    enricher = Counting(lambda draft: attrs.evolve(draft, **finding))

    first = run(FILM, enricher)
    second = run(FILM, enricher)

    assert first == second == attrs.evolve(FILM, **finding)
    assert len(enricher.seen) == 1


def test_every_field_that_an_enricher_may_fill_can_be_kept(run: Run) -> None:
    full: dict[str, Any] = {
        "kind": "episode",
        "title": "Tron",
        "year": 1982,
        "season_number": 1,
        "episode_numbers": (1,),
        "episode_title": "Pilot",
        "part": 1,
        "duration_ms": 1,
        "container": "mkv",
        "video_codec": "h264",
        "audio_codec": "aac",
        "width": 1,
        "height": 1,
        "markers": (OPENING,),
        "metadata": {"a": {}},
        "warnings": ("odd",),
    }
    assert {field.name for field in attrs.fields(AssetDraft)} - {*full} == {
        "file_path", "source_path", "size", "mtime_ns", "sidecars",
    }  # fmt: skip
    enricher = Counting(lambda draft: attrs.evolve(draft, **full))
    bare = AssetDraft("/mnt/tron.mkv", "/data/tron.mkv", 1000, 5)
    run(bare, enricher)

    assert run(bare, enricher) == attrs.evolve(bare, **full)
    assert len(enricher.seen) == 1


@pytest.mark.parametrize("version", ["1", None])
def test_an_enricher_of_the_file_is_shown_the_file_and_nothing_else(run: Run, version: str | None) -> None:
    enricher = Counting(version=version)

    run(attrs.evolve(FILM, duration_ms=7, markers=(AVAIL,), metadata={"a": {}}), enricher)

    assert enricher.seen == [AssetDraft("/mnt/tron.mkv", "/mnt/tron.mkv", 1000, 5)]


def test_what_was_found_is_laid_over_whatever_draft_comes(run: Run) -> None:
    enricher = Counting(probed)
    first = run(FILM, enricher)
    unknown = AssetDraft("/mnt/tron.mkv", "/elsewhere/t.mkv", 1000, 5, metadata={"filename": {}, "probed": {"old": 1}})

    second = run(attrs.evolve(unknown, duration_ms=7, width=640, markers=(AVAIL, Marker("chapter", 3))), enricher)

    assert first == probed(FILM)
    assert second == attrs.evolve(
        unknown,
        duration_ms=1000,
        width=640,
        markers=(AVAIL, OPENING, ENDING),
        metadata={"filename": {}, "probed": {"größe": [1, {"a": None}]}},
    )
    assert len(enricher.seen) == 1


def test_what_the_draft_says_already_is_kept_for_the_next_one_too(run: Run) -> None:
    enricher = Counting(probed)
    run(probed(FILM), enricher)

    assert run(FILM, enricher) == probed(FILM)
    assert len(enricher.seen) == 1


@pytest.mark.parametrize("change", [{"file_path": "/mnt/other.mkv"}, {"size": 1001}, {"mtime_ns": 6}], ids=" ".join)
def test_another_file_is_read_itself(run: Run, change: dict[str, Any]) -> None:
    enricher = Counting()
    run(FILM, enricher)

    run(attrs.evolve(FILM, **change), enricher)

    assert len(enricher.seen) == 2


@pytest.mark.parametrize(
    "other",
    [
        lambda: ready(Counting(version="2")),
        lambda: ready(Counting(), deep=True),
        lambda: ready(Counting(), type="other"),
        lambda: ready(Another()),
    ],
    ids=["version", "configuration", "type", "class"],
)
def test_another_enricher_is_asked_itself(run: Run, other: Callable[[], ReadyEnricher]) -> None:
    run(FILM, Counting())
    asked = other()
    assert isinstance(asked.enricher, Counting)

    for _ in range(2):
        run(FILM, asked)

    assert len(asked.enricher.seen) == 1


def test_the_order_of_a_configuration_makes_no_difference(run: Run) -> None:
    enricher = Counting()
    run(FILM, ready(enricher, k=1, l=2))

    run(FILM, ready(enricher, l=2, k=1))

    assert len(enricher.seen) == 1


@pytest.mark.parametrize(
    ("enricher", "draft"),
    [
        (Counting(cached_by=None), FILM),
        (Counting(cached_by="draft"), FILM),
        (Counting(version=None), FILM),
        (Counting(version=""), FILM),
        (Counting(), attrs.evolve(FILM, size=None)),
        (Counting(), attrs.evolve(FILM, mtime_ns=None)),
    ],
    ids=["never", "by the draft", "no version", "empty version", "no size", "no mtime"],
)
def test_what_nothing_vouches_for_is_never_kept(run: Run, cache: Texts, enricher: Counting, draft: AssetDraft) -> None:
    enricher.seen.clear()

    for _ in range(2):
        assert run(draft, enricher).duration_ms == 1000

    assert len(enricher.seen) == 2
    assert cache == {}


def test_an_enricher_without_the_attributes_is_asked_every_time(cache: Texts) -> None:
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
        enrich_all([FILM], made, results=ProbeResults(cache, sound))

    assert plain.seen == 2
    assert cache == {}


def test_asked_again_it_is_not_recalled_and_the_new_answer_replaces_the_old_one(run: Run) -> None:
    old, new = Counting(), Counting(lambda draft: attrs.evolve(draft, duration_ms=2000))
    run(FILM, old)

    assert run(FILM, new, recalls=False).duration_ms == 2000
    assert run(FILM, old).duration_ms == 2000
    assert (len(old.seen), len(new.seen)) == (1, 1)


class TestFailures:
    def test_an_error_is_not_kept(self, run: Run, cache: Texts) -> None:
        def failing(draft: AssetDraft) -> AssetDraft:
            raise ResourceError("the disk is away")

        with pytest.raises(ResourceError):
            run(FILM, Counting(failing))

        assert cache == {}
        assert run(FILM, Counting()).duration_ms == 1000

    @pytest.mark.parametrize("finding", [{"duration_ms": -5}, {"title": 7}, {"metadata": {"a": {1, 2}}}], ids=str)
    def test_what_cannot_be_is_returned_but_not_believed_again(self, run: Run, finding: dict[str, Any]) -> None:
        enricher = Counting(lambda draft: attrs.evolve(draft, **finding))

        for _ in range(2):
            assert run(FILM, enricher) == attrs.evolve(FILM, **finding)

        assert len(enricher.seen) == 2

    @pytest.mark.parametrize("finding", [{"markers": None}, {"markers": ("chapter",)}, {"metadata": None}], ids=str)
    @pytest.mark.parametrize("cached_by", ["file", "draft", None])
    def test_what_has_no_shape_is_refused_by_name(
        self, run: Run, cache: Texts, finding: dict[str, Any], cached_by: str | None
    ) -> None:
        with pytest.raises(ValidationError, match=r"'counting' returned .* '/mnt/tron.mkv'"):
            run(FILM, Counting(lambda draft: attrs.evolve(draft, **finding), cached_by=cached_by))

        assert cache == {}

    def test_a_late_answer_is_not_kept(self, cache: Texts) -> None:
        released, answered = threading.Event(), threading.Event()

        def hanging(draft: AssetDraft) -> AssetDraft:
            released.wait(20)
            answered.set()
            return attrs.evolve(draft, duration_ms=1)

        with pytest.raises(ResourceError, match="gave no answer"):
            enrich_all([FILM], [ready(Counting(hanging, timeout_s=0.1))], results=ProbeResults(cache, sound))
        released.set()
        answered.wait(20)
        time.sleep(0.05)

        assert cache == {}

    def test_what_was_found_before_ctrl_c_is_kept(self, cache: Texts) -> None:
        drafts = [attrs.evolve(FILM, size=n + 1) for n in range(50)]
        enricher = Counting()

        def cancel(done: int, total: int | None, path: str) -> None:
            if done == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            enrich_all(drafts, [ready(enricher)], results=ProbeResults(cache, sound), progress=cancel)

        assert len(cache) >= 20
        enricher.seen.clear()
        enrich_all(drafts, [ready(enricher)], results=ProbeResults(cache, sound))
        assert len(enricher.seen) <= 30

    def test_a_failure_of_a_later_enricher_costs_no_answer_of_an_earlier_one(self, run: Run, cache: Texts) -> None:
        def failing(draft: AssetDraft) -> AssetDraft:
            raise ResourceError("the disk is away")

        first, second = Counting(), Counting(failing)
        with pytest.raises(ResourceError):
            enrich_all([FILM], [ready(first), ready(second, "second")], results=ProbeResults(cache, sound))

        run(FILM, first)

        assert len(first.seen) == 1


KEPT: dict[str, Any] = {"duration_ms": 2000, "markers": []}
POISON: dict[str, object] = {
    "no JSON": "{",
    "nothing": "",
    "not an object": [1],
    "empty": {},
    "a wrong type": {**KEPT, "duration_ms": "2000"},
    "an impossible value": {**KEPT, "duration_ms": -5},
    "an unknown field": {**KEPT, "approved": True},
    "a marker with too much": {**KEPT, "markers": [["chapter", 1, 2, "a", "b"]]},
    "markers that are none": {**KEPT, "markers": 7},
    "metadata that is none": {**KEPT, "metadata": ["a"]},
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("extra", [{}, {"size": 5}, {"file_path": "/etc/passwd"}], ids=str)
def test_a_text_that_makes_sense_is_believed_but_for_what_the_importer_says(
    run: Run, cache: Texts, extra: dict[str, object]
) -> None:
    run(FILM, Counting())
    cache.replace({**KEPT, **extra})

    assert run(FILM, Counting()) == attrs.evolve(FILM, duration_ms=2000)


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_text_that_makes_no_sense_counts_as_absent_and_is_replaced(run: Run, cache: Texts, poison: object) -> None:
    enricher = Counting()
    expected = run(FILM, enricher)
    before = dict(cache)
    cache.replace(poison)

    assert run(FILM, enricher) == expected
    assert len(enricher.seen) == 2
    assert cache == before
