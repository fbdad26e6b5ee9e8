"""What the file-name conventions read, and what they leave alone."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from names import EPISODES, INTERSTITIALS, MOVIES, UNREADABLE
from proof.figures import Proof

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media.filenames import FilenameEnricher, ParsedName, has_episode_marker, parse
from retrovue_uow.model import INTERSTITIAL_KINDS, AssetDraft, PathMapping


@pytest.mark.parametrize("path", EPISODES)
def test_an_episode_is_read(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert parsed.kind == "episode"
    assert (*(parsed.title, parsed.year, parsed.season_number, parsed.episode_numbers, parsed.episode_title),) == EPISODES[path]


@pytest.mark.parametrize("path", MOVIES)
def test_a_movie_is_read(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert attrs.evolve(parsed, part=None) == ParsedName("movie", parsed.rule, *MOVIES[path])


@pytest.mark.parametrize("path", INTERSTITIALS)
def test_an_interstitial_is_read_by_its_deepest_telling_folder(path: str) -> None:
    kind, year = INTERSTITIALS[path]

    parsed = parse(path)

    assert parsed is not None
    assert parsed == ParsedName(kind, parsed.rule, year=year)


@pytest.mark.parametrize("path", UNREADABLE)
def test_what_follows_no_convention_is_not_guessed(path: str) -> None:
    assert parse(path) is None


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("Show S01E02.mkv", "SxxExx"),
        ("Show 1x02.mkv", "NxNN"),
        ("Show Season 1 Episode 2.mkv", "season_episode"),
        ("/Show/Season 1/02.mkv", "season_folder"),
        ("/Show/Specials/02.mkv", "special"),
        ("Movie (1984).mkv", "movie_year"),
        ("Movie.1984.1080p.mkv", "movie_bare_year"),
        ("Movie.1080p.1984.mkv", "movie_late_year"),
        ("/Movie (1984)/Movie.mkv", "movie_folder"),
        ("/Bumpers/a.mkv", "interstitial_folder"),
        ("Movie-trailer.mkv", "trailer_suffix"),
    ],
)
def test_it_says_which_rule_matched(path: str, rule: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert parsed.rule == rule


FRAGMENTS = st.sampled_from(
    [*"/\\ .-_()[]{}&xSE0129", "S01E02", "1x02", "-E03", "-03", "Season 1", "Specials", "Bumpers", "(1984)", "1080p", ".mkv"]
)


@pytest.mark.proof(
    "Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused",
    how="Hypothesis draws texts, bytes and reports, and pieces of real ones",
)
@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=3)), max_size=14).map("".join)))
def test_any_text_is_read_consistently_or_not_at_all(figures: Proof, path: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    parsed = parse(path)

    if parsed is None:
        return
    assert parsed.title is None or parsed.title.strip() == parsed.title != ""
    assert (parsed.title is None) == (parsed.kind in INTERSTITIAL_KINDS)
    assert parsed.year is None or 1888 <= parsed.year <= 2100
    assert list(parsed.episode_numbers) == sorted(set(parsed.episode_numbers))
    assert all(number >= 0 for number in parsed.episode_numbers)
    assert (parsed.kind == "episode") == bool(parsed.episode_numbers) == (parsed.season_number is not None)
    assert parsed.kind != "movie" or parsed.year is not None


def test_only_a_name_that_numbers_season_and_episode_has_a_marker() -> None:
    assert has_episode_marker("S01E02.mkv")
    assert not has_episode_marker("Movie (1984) 1920x1080.mkv")


def draft_of(path: str) -> AssetDraft:
    return AssetDraft(path, path)


@pytest.fixture
def enricher() -> FilenameEnricher:
    return FilenameEnricher({"guessit": False})


def test_it_reads_the_path_as_the_source_reports_it(enricher: FilenameEnricher) -> None:
    draft = AssetDraft(file_path="/mnt/a.mkv", source_path="/Show (1984)/Season 1/Show S01E02 - Name.mkv")

    assert enricher.enrich(draft) == attrs.evolve(
        draft,
        kind="episode",
        title="Show",
        year=1984,
        season_number=1,
        episode_numbers=(2,),
        episode_title="Name",
        metadata={"filename": {"rule": "SxxExx"}},
    )


def test_what_it_cannot_read_stays_as_it_is(enricher: FilenameEnricher) -> None:
    draft = draft_of("/a/video.mkv")

    assert enricher.enrich(draft) == draft


def test_facts_of_the_importer_stay(enricher: FilenameEnricher) -> None:
    draft = attrs.evolve(
        draft_of("/Show S01E02 - Name.mkv"), title="SHOW", year=1990, episode_title="Known", metadata={"probed": {}}
    )

    enriched = enricher.enrich(draft)

    assert (enriched.title, enriched.year, enriched.episode_title) == ("SHOW", 1990, "Known")
    assert (enriched.season_number, enriched.episode_numbers) == (1, (2,))
    assert enriched.metadata == {"probed": {}, "filename": {"rule": "SxxExx"}}


def test_facts_are_not_mixed_with_those_of_something_else(enricher: FilenameEnricher) -> None:
    other_kind = attrs.evolve(draft_of("/Show (1984) S01E02.mkv"), kind="commercial")
    other_title = enricher.enrich(attrs.evolve(draft_of("/Show (1984) S01E02.mkv"), title="Other"))
    other_season = enricher.enrich(attrs.evolve(draft_of("/Show S01E02.mkv"), season_number=3))
    other_episode = enricher.enrich(attrs.evolve(draft_of("/Show S01E02 - Name.mkv"), episode_numbers=(7,)))

    assert enricher.enrich(other_kind) == other_kind
    assert other_title.year is None
    assert other_season.episode_numbers == ()
    assert other_episode.episode_title is None


def test_a_kind_that_says_nothing_is_replaced(enricher: FilenameEnricher) -> None:
    assert enricher.enrich(attrs.evolve(draft_of("/Movie (1984).mkv"), kind="other")).kind == "movie"


def test_the_year_of_an_interstitial_is_no_year_of_a_title(enricher: FilenameEnricher) -> None:
    enriched = enricher.enrich(draft_of("/Bumpers/Snow 1985.mkv"))

    assert (enriched.kind, enriched.title, enriched.year) == ("bumper", None, None)
    assert enriched.metadata == {"filename": {"rule": "interstitial_folder", "year": 1985}}


@pytest.mark.parametrize("config", [{"gessit": True}, {"guessit": "yes"}, {"guessit": None}])
def test_a_wrong_configuration_is_refused_by_name(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(config))):
        FilenameEnricher(config)


def test_without_guessit_the_version_is_its_own(enricher: FilenameEnricher) -> None:
    assert enricher.version == "4"
    assert enricher.identifies
    enricher.check()


def test_folders_of_interstitials_count_below_the_mapped_root_only(enricher: FilenameEnricher) -> None:
    enricher.begin([PathMapping(1, "/mnt/trailers", "/x"), PathMapping(2, "C:/Ads", "/y")])

    assert enricher.enrich(draft_of("/mnt/trailers/Movie (1984).mkv")).kind == "movie"
    assert enricher.enrich(draft_of("/mnt/trailers/disk/Show/Show S01E02.mkv")).kind == "episode"
    assert enricher.enrich(draft_of("C:\\Ads\\Movie (1984).mkv")).kind == "movie"
    assert enricher.enrich(draft_of("/mnt/trailers/Bumpers/Movie (1984).mkv")).kind == "bumper"
    assert enricher.enrich(draft_of("C:\\Ads\\Ads\\Movie (1984).mkv")).kind == "commercial"


ROWS: dict[str, tuple[str, list[str], Callable[[int], tuple[str | None, int, int, str | None]]]] = {
    "numbers first in a season folder": (
        "Show/Season 2",
        [f"{number:02} Name of {number}" for number in range(10, 22)],
        lambda at: ("Show", 2, at + 10, f"Name of {at + 10}"),
    ),
    "numbers that repeat the season": (
        "Show/Season 2",
        [f"Show 2{number:02}" for number in range(1, 9)],
        lambda at: ("Show", 2, at + 1, None),
    ),
    "numbers behind a dash, without a season": (
        "Other/Folder",
        [f"[Group] Show - {number:02} [720p]" for number in range(1, 5)],
        lambda at: ("Show", 1, at + 1, None),
    ),
    "the name of most": (
        "Folder",
        ["Shwo - 01 - Name 0", *(f"Show - {number:02} - Name {number - 1}" for number in range(2, 6))],
        lambda at: ("Show", 1, at + 1, f"Name {at}"),
    ),
    "numbers behind the name of the folder": (
        "Show",
        [f"show_{number:02}" for number in range(1, 5)],
        lambda at: ("Show", 1, at + 1, None),
    ),
    "an extra aside": (
        "Show (1984)",
        [*(f"Show Episode {number}" for number in range(1, 4)), "Show-sample"],
        lambda at: ("Show", 1, at + 1, None),
    ),
}


@pytest.mark.parametrize(("folder", "names", "expected"), ROWS.values(), ids=ROWS)
def test_a_folder_numbered_in_one_row_is_believed_as_a_whole(
    tmp_path: Path,
    enricher: FilenameEnricher,
    folder: str,
    names: list[str],
    expected: Callable[[int], tuple[str | None, int, int, str | None]],
) -> None:
    drafts = made(tmp_path / folder, names)

    for at, draft in enumerate(drafts):
        enriched = enricher.enrich(draft)
        if "sample" in draft.file_path:
            assert enriched == draft
            continue
        title, season, episode, episode_title = expected(at)
        assert (enriched.title, enriched.season_number, enriched.episode_numbers) == (title, season, (episode,))
        assert enriched.episode_title == episode_title
        assert enriched.metadata["filename"] == {"rule": "siblings"}
        assert [warning for warning in enriched.warnings if repr(draft.file_path) in warning]


def test_who_knows_the_kind_already_is_not_warned_of_what_a_row_would_make_of_it(
    tmp_path: Path, enricher: FilenameEnricher
) -> None:
    for draft in made(tmp_path / "Show", [f"Show - {number:02}" for number in range(1, 5)]):
        known = attrs.evolve(draft, kind="movie", title="Show", year=1984)
        assert enricher.enrich(known) == known


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("Show/Season 2", ["16 Name"]),
        ("Show/Season 2", ["12 Angry Men", "24 Hours", "48 Hours"]),
        ("Show/Season 2", ["16 Name", "16 Other", "17 Name"]),
        ("Show/Season 2", ["1 Name", "2 Name", "3 Name", "About it", "More about it"]),
        ("Show/Season 2", ["301 Name", "302 Name", "303 Name"]),
        ("Show/Season 2", ["Show S01E05-E03", "Show S01E06-E04", "Show S01E07-E05"]),
        ("Show/Season 2/Extras", ["16 Name", "17 Name", "18 Name"]),
        ("Show/Season 2/Disc 1", ["16 Name", "17 Name", "18 Name"]),
        ("Show/Disc 2", ["Show - 01", "Show - 02", "Show - 03"]),
        ("Show/Season 2 - The Late Years", ["Show - 01", "Show - 02", "Show - 03"]),
        ("Tapes", ["Tape 01", "Tape 02", "Tape 03"]),
        ("Top Movies", ["01 Night", "02 Day", "03 Dusk"]),
        ("Rocky", ["Rocky 1", "Rocky 2", "Rocky 3"]),
        ("Long Show", ["Show - 713", "Show - 714", "Show - 715"]),
        ("Show", ["Show 1987-03-04", "Show 1987-03-05", "Show 1987-03-06"]),
    ],
)
def test_a_folder_that_is_no_one_row_is_not_read_file_by_file(
    tmp_path: Path, enricher: FilenameEnricher, folder: str, names: list[str]
) -> None:
    for draft in made(tmp_path / folder, names):
        assert enricher.enrich(draft) == draft


def made(folder: Path, names: list[str]) -> list[AssetDraft]:
    """Drafts of empty files of those names in the folder."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.mkv").touch()
    return [AssetDraft(path, path) for path in (str(folder / f"{name}.mkv") for name in names)]


needs_guessit = pytest.mark.skipif(importlib.util.find_spec("guessit") is None, reason="guessit is not installed")


@pytest.fixture
def guesser() -> FilenameEnricher:
    return FilenameEnricher({})


@needs_guessit
def test_guessit_is_part_of_the_version(guesser: FilenameEnricher) -> None:
    assert guesser.version.startswith("4+guessit-")


@needs_guessit
def test_guessit_reads_what_the_conventions_do_not(guesser: FilenameEnricher) -> None:
    enriched = guesser.enrich(draft_of("/x/The Thing (1982)/The.Thing.1982.German.DL.mkv"))

    assert (enriched.kind, enriched.title, enriched.year) == ("movie", "The Thing", 1982)
    assert enriched.metadata["filename"] == {"rule": "guessit"}
    assert [warning for warning in enriched.warnings if "The.Thing.1982.German.DL.mkv' is taken for what guessit" in warning]


@needs_guessit
@pytest.mark.parametrize("path", ["/x/The.Thing.1982.German.DL/thing.mkv", "X:\\x\\The.Thing.1982.German.DL\\thing.mkv"])
def test_a_movie_may_be_named_by_its_own_folder(guesser: FilenameEnricher, path: str) -> None:
    enriched = guesser.enrich(draft_of(path))

    assert (enriched.kind, enriched.title, enriched.year) == ("movie", "The Thing", 1982)


@needs_guessit
@pytest.mark.parametrize(
    "path",
    [
        "/mnt/Archive.1999/recordings/tape.720p.mkv",
        "/mnt/disk 1973/tapes/odd/tape [bold] 720p.mkv",
        "/mnt/Show.S01E02/tapes/odd/tape.720p.mkv",
    ],
)
def test_the_name_of_a_disk_is_not_taken_for_a_title(guesser: FilenameEnricher, path: str) -> None:
    draft = draft_of(path)

    assert guesser.enrich(draft) == draft


@needs_guessit
@pytest.mark.parametrize(
    "path",
    [
        "/x/video.mkv",
        "/x/Show 1987-03-04.mkv",
        "/x/Show - 02.mkv",
        "/x/Blade.Runner.2049.mkv",
        "/x/The 4400.mkv",
        "/x/24.mkv",
        "/x/Space 1999.mkv",
        "/x/2001 A Space Odyssey.mkv",
        "/tv/Season 1/02 - Name.mkv",
        "/tv/Show (1987)/Show (1987) - 02 - Name.mkv",
        "/x/The.Thing.1982.German.DL.mkv",
        "/m/Other/The.Thing.1982.German.DL.mkv",
        "/m/The Thing (2011)/The.Thing.1982.German.DL.mkv",
    ],
)
def test_an_incomplete_or_doubtful_guess_counts_for_nothing(guesser: FilenameEnricher, path: str) -> None:
    draft = draft_of(path)

    assert guesser.enrich(draft) == draft


@needs_guessit
@pytest.mark.parametrize(
    "path",
    [
        "/x/Show S01E05-E03.mkv",
        "/x/Show S01E01-24 Hours.mkv",
        "/x/Movie (1984)-sample.mkv",
        "/x/Movie (1984)/Extras/Making of (1984) 1080p.mkv",
        "/tv/Show/Season 4/Show [401] Name.mkv",
        "/tv/Show/Season 4/Show 401 Name.mkv",
        "/tv/Show/Show.2012.16.02.720p.mkv",
    ],
)
def test_what_the_conventions_refuse_is_not_guessed_either(guesser: FilenameEnricher, path: str) -> None:
    draft = draft_of(path)

    assert guesser.enrich(draft) == draft


def test_without_guessit_installed_the_conventions_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "guessit", None)

    enricher = FilenameEnricher({})

    assert enricher.version == "4"
    assert enricher.enrich(draft_of("/x/The Thing (1982)/The.Thing.1982.German.DL.mkv")).kind is None


@pytest.fixture
def breaking_guessit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A distribution of guessit that breaks down on every name."""
    package = tmp_path / "guessit"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from guessit.api import GuessitException\n"
        "__version__ = '0'\n"
        "def guessit(name, options):\n"
        "    raise GuessitException(name)\n"
    )
    (package / "api.py").write_text("class GuessitException(Exception): pass\n")
    for name in loaded_guessit():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in loaded_guessit():
        del sys.modules[name]


def loaded_guessit() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "guessit"]


@pytest.mark.usefixtures("breaking_guessit")
def test_a_breakdown_of_guessit_names_the_file() -> None:
    enricher = FilenameEnricher({})

    with pytest.raises(ResourceError, match=r"'/x/video\.mkv'"):
        enricher.enrich(draft_of("/x/video.mkv"))
