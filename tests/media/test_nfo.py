"""Which NFO files count, what they tell, and which are refused."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media.nfo import MAX_BYTES, MAX_DEPTH, NfoEnricher, NfoFacts, own_sidecars, parse_nfo
from retrovue_uow.model import AssetDraft, Sidecar

SHOW = "<tvshow><title>The Show</title><year>1984</year></tvshow>"
EPISODE = "<episodedetails><title>Name</title><season>1</season><episode>2</episode></episodedetails>"
MOVIE = "<movie><title>The Movie</title><year>1984</year></movie>"

Write = Callable[[str, str | bytes], Sidecar]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a sidecar below `tmp_path`."""

    def write(name: str, content: str | bytes) -> Sidecar:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Sidecar(str(path), path.stat().st_size, path.stat().st_mtime_ns)

    return write


@pytest.fixture
def draft(tmp_path: Path) -> AssetDraft:
    path = str(tmp_path / "Folder" / "a.mkv")
    return AssetDraft(path, path)


@pytest.fixture
def episode(draft: AssetDraft) -> AssetDraft:
    return attrs.evolve(
        draft, kind="episode", title="Read", year=1980, season_number=5, episode_numbers=(6,), episode_title="Read"
    )


def enriched(draft: AssetDraft, *sidecars: Sidecar) -> AssetDraft:
    return NfoEnricher({}).enrich(attrs.evolve(draft, sidecars=sidecars))


def only(text: str) -> NfoFacts:
    (facts,) = parse_nfo(text)
    return facts


# which files count


def test_a_file_has_its_own_nfo_before_the_folders_movie_nfo() -> None:
    assert own_sidecars("The Movie (1984).MKV") == ("the movie (1984).nfo", "movie.nfo")
    assert own_sidecars("movie.mkv") == ("movie.nfo",)


@pytest.mark.parametrize("name", ["Show S01E02.mkv", "Show 1x02.mkv", "Movie (1984)-trailer.mkv"])
def test_an_episode_or_a_trailer_has_no_movie_nfo(name: str) -> None:
    assert own_sidecars(name) == (f"{os.path.splitext(name)[0].casefold()}.nfo",)


@pytest.mark.parametrize("sidecars", [None, ()])
def test_without_sidecars_nothing_is_known(draft: AssetDraft, sidecars: tuple[Sidecar, ...] | None) -> None:
    draft = attrs.evolve(draft, sidecars=sidecars)

    assert NfoEnricher({}).enrich(draft) == draft


def test_other_sidecars_are_not_read(draft: AssetDraft, tmp_path: Path) -> None:
    draft = attrs.evolve(draft, sidecars=(Sidecar(str(tmp_path / "missing.srt"), 1, 1),))

    assert NfoEnricher({}).enrich(draft) == draft


def test_the_nearest_show_counts(write: Write, episode: AssetDraft) -> None:
    far = write("tvshow.nfo", SHOW.replace("The Show", "Far"))
    near = write("Folder/TVShow.NFO", SHOW)

    assert enriched(episode, far, near).title == enriched(episode, near, far).title == "The Show"


def test_the_files_own_nfo_counts_before_movie_nfo(write: Write, draft: AssetDraft) -> None:
    shared = write("The Movie/movie.nfo", MOVIE)
    own = write("The Movie/a.nfo", MOVIE.replace("The Movie", "Own"))
    draft = attrs.evolve(draft, file_path=os.path.join(os.path.dirname(shared.path), "a.mkv"))

    assert enriched(draft, shared, own).title == "Own"
    assert enriched(draft, shared, attrs.evolve(own, path=write("The Movie/b.nfo", "").path)).title == "The Movie"


@pytest.mark.parametrize(
    ("folder", "known", "title"),
    [
        ("The Movie (1984)", AssetDraft("", ""), "The Movie"),
        ("the.movie.1984", AssetDraft("", ""), None),
        ("Original", AssetDraft("", ""), "The Movie"),
        ("Movies", AssetDraft("", ""), None),
        ("The Movie (1984)", AssetDraft("", "", kind="movie", title="the movie"), "The Movie"),
        ("The Movie (1984)", AssetDraft("", "", kind="movie", title="Another"), "Another"),
        ("The Movie (1984)", AssetDraft("", "", kind="episode", title="The Movie"), "The Movie"),
    ],
)
def test_movie_nfo_speaks_only_for_a_movie_in_a_folder_of_its_title(
    write: Write, folder: str, known: AssetDraft, title: str | None
) -> None:
    nfo = write(f"{folder}/movie.nfo", MOVIE.replace("</movie>", "<originaltitle>Original</originaltitle></movie>"))
    known = attrs.evolve(known, file_path=os.path.join(os.path.dirname(nfo.path), "a.mkv"))

    found = enriched(known, nfo)

    assert found.title == title
    assert ("sidecar" in found.metadata) == (found.kind == "movie" and title == "The Movie")


# what they tell


def test_a_show_gives_title_and_year_and_leaves_the_rest(write: Write, episode: AssetDraft) -> None:
    found = enriched(episode, write("tvshow.nfo", SHOW))

    assert (found.title, found.year) == ("The Show", 1984)
    assert (found.season_number, found.episode_numbers, found.episode_title) == (5, (6,), "Read")
    assert found.metadata["sidecar"] == {"show": {"title": "The Show", "year": "1984"}}


def test_the_year_may_come_from_the_premiere() -> None:
    assert only("<tvshow><year>0</year><premiered>1984-09-30</premiered></tvshow>").year == 1984
    assert only("<movie><year>soon</year></movie>").year is None


def test_an_episode_outranks_the_file_name(write: Write, episode: AssetDraft) -> None:
    found = enriched(episode, write("a.nfo", EPISODE))

    assert (found.season_number, found.episode_numbers, found.episode_title) == (1, (2,), "Name")
    assert (found.title, found.year) == ("Read", 1980)


def test_an_episode_states_its_show(write: Write, draft: AssetDraft) -> None:
    own = write("a.nfo", EPISODE.replace("<season>", "<showtitle>Stated</showtitle><season>"))

    found = enriched(draft, own)

    assert (found.kind, found.title, found.year) == ("episode", "Stated", None)
    assert (found.season_number, found.episode_numbers, found.episode_title) == (1, (2,), "Name")
    assert enriched(draft, own, write("tvshow.nfo", SHOW)).title == "The Show"


@pytest.mark.parametrize("gap", ["<season>1</season>", "<episode>2</episode>"])
def test_half_an_episode_does_not_classify(write: Write, draft: AssetDraft, gap: str) -> None:
    found = enriched(draft, write("a.nfo", EPISODE.replace(gap, "")), write("tvshow.nfo", SHOW))

    assert attrs.evolve(found, metadata={}, sidecars=None) == draft
    assert found.metadata["sidecar"]


def test_a_show_alone_does_not_classify(write: Write, draft: AssetDraft) -> None:
    assert enriched(draft, write("tvshow.nfo", SHOW)).kind is None


def test_an_episode_without_a_show_does_not_classify(write: Write, draft: AssetDraft) -> None:
    assert enriched(draft, write("a.nfo", EPISODE)).kind is None


def test_several_roots_are_several_episodes(write: Write, episode: AssetDraft) -> None:
    second = EPISODE.replace("Name", "First").replace("<episode>2", "<episode>1")

    found = enriched(episode, write("a.nfo", f'<?xml version="1.0"?>\n{EPISODE}\n<?xml version="1.0"?>{second}'))

    assert found.episode_numbers == (1, 2)
    assert found.episode_title == "First / Name"
    assert parse_nfo(f"<xbmcmultiepisode>{EPISODE}</xbmcmultiepisode>") == parse_nfo(EPISODE)


def test_a_movie_gives_kind_title_and_year(write: Write, draft: AssetDraft, episode: AssetDraft) -> None:
    nfo = write("a.nfo", MOVIE)

    for before in (draft, episode):
        found = enriched(before, nfo)
        assert (found.kind, found.title, found.year) == ("movie", "The Movie", 1984)
        assert (found.season_number, found.episode_numbers, found.episode_title) == (None, (), None)


def test_what_an_nfo_does_not_state_stays(write: Write, draft: AssetDraft) -> None:
    movie = attrs.evolve(draft, kind="movie", title="Read", year=1980)

    assert enriched(movie, write("a.nfo", "<movie><year>1984</year></movie>")).title == "Read"
    assert enriched(movie, write("a.nfo", "<movie><title>New</title></movie>")).year == 1980
    assert enriched(draft, write("a.nfo", "<movie><year>1984</year></movie>")).kind is None


def test_facts_of_another_kind_are_not_taken_over(write: Write, draft: AssetDraft, episode: AssetDraft) -> None:
    movie = attrs.evolve(draft, kind="movie", title="Read", year=1980)

    assert enriched(episode, write("a.nfo", "<movie><year>1984</year></movie>")).kind == "episode"
    assert enriched(movie, write("a.nfo", EPISODE)).kind == "movie"
    assert enriched(movie, write("a.nfo", EPISODE), write("tvshow.nfo", "<tvshow><title>T</title></tvshow>")).year is None


def test_an_interstitial_stays_one(write: Write, draft: AssetDraft) -> None:
    commercial = attrs.evolve(draft, kind="commercial")

    found = enriched(commercial, write("a.nfo", MOVIE), write("tvshow.nfo", SHOW))

    assert (found.kind, found.title, found.year) == ("commercial", None, None)
    assert set(found.metadata["sidecar"]) == {"show", "movie"}


def test_facts_are_kept_as_json_and_the_running_time_is_only_one_of_them(write: Write, draft: AssetDraft) -> None:
    nfo = write(
        "a.nfo",
        "<movie><title>M</title><plot>Long\n  story</plot><genre>A</genre><genre>B</genre><mpaa>PG</mpaa>"
        "<runtime>90</runtime><studio>S</studio><uniqueid type='imdb'>tt1</uniqueid><set><name>Saga</name></set>"
        "<actor><name>N</name><role>R</role></actor><actor><role>nobody</role></actor><tagline/></movie>",
    )

    found = enriched(attrs.evolve(draft, metadata={"probed": {"a": 1}}), nfo)

    assert found.duration_ms is None
    assert found.metadata == {
        "probed": {"a": 1},
        "sidecar": {
            "movie": {
                "title": "M",
                "plot": "Long story",
                "genres": ["A", "B"],
                "mpaa": "PG",
                "runtime": 90,
                "studios": ["S"],
                "uniqueids": {"imdb": "tt1"},
                "set": "Saga",
                "actors": [{"name": "N", "role": "R"}],
            }
        },
    }
    assert only("<movie><runtime>90 min</runtime></movie>").facts == {"runtime": "90 min"}


# what is tolerated


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (MOVIE.encode("utf-8-sig"), "The Movie"),
        (MOVIE.replace("The", "Thé").encode("utf-16"), "Thé Movie"),
        (MOVIE.replace("The", "Thé").encode("utf-16-le"), "Thé Movie"),
        (b"\xfe\xff" + MOVIE.encode("utf-16-be"), "The Movie"),
        (MOVIE.encode("utf-32"), "The Movie"),
        (MOVIE.replace("The", "Thé").encode("cp1252"), "Thé Movie"),
        (f"<?xml version='1.0' encoding='utf-16'?>{MOVIE}".encode(), "The Movie"),
        (f"<?xml version='1.0' encoding='latin-1'?>{MOVIE.replace('The', 'Thé')}".encode(), "Thé Movie"),
        (f"<?xml version='1.0' encoding='no-such'?>{MOVIE.replace('The', 'Thé')}".encode("cp1252"), "Thé Movie"),
        (f"<?xml version='1.0' encoding='cp1251'?>{MOVIE.replace('The', 'Мой')}".encode("cp1251"), "Мой Movie"),
        (f"<?xml version='1.0' encoding='utf-7'?>{MOVIE}\xff".encode("cp1252"), "The Movie"),
        (MOVIE.replace("The", "A &amp; B & C &eacute; &#65;").encode(), "A & B & C &eacute; A Movie"),
        (MOVIE.replace("The", "<![CDATA[A & B]]>").encode(), "A & B Movie"),
        (f"{MOVIE}\nhttps://www.themoviedb.org/movie/1?a=b&c=d".encode(), "The Movie"),
        (f"https://example.org/?a&b\n{MOVIE}".encode(), "The Movie"),
        (f"\r\n  <!-- a -->{MOVIE}<unknown/>".encode(), "The Movie"),
        (MOVIE.upper().encode(), "THE MOVIE"),
    ],
)
def test_slips_are_tolerated(write: Write, draft: AssetDraft, content: bytes, title: str) -> None:
    assert enriched(draft, write("a.nfo", content)).title == title


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf",
        b" \r\n",
        b"https://www.themoviedb.org/movie/1?a=b&c=d",
        b"\xdb\xdc\x81 a release, in boxes <3",
        b"<season/>",
        b"<movie/>",
    ],
)
def test_what_tells_nothing_is_no_error(write: Write, draft: AssetDraft, content: bytes) -> None:
    found = enriched(draft, write("a.nfo", content))

    assert attrs.evolve(found, sidecars=None) == draft


def test_names_are_composed_as_file_names_are() -> None:
    assert only("<movie><title>Poke\u0301mon</title></movie>").title == "Pok\u00e9mon"


# what is refused


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"<!DOCTYPE movie>{MOVIE}", "document type"),
        (f"<!doctype movie SYSTEM 'file:///etc/passwd'>{MOVIE}", "document type"),
        (f"<!DOCTYPE m [<!ENTITY a 'b'>]>{MOVIE}", "document type"),
        (f"<!ENTITY a 'b'>{MOVIE}", "document type"),
        (f"<!DOCTYPE movie>{MOVIE}".encode("utf-16"), "document type"),
        (f"<!DOCTYPE movie>{MOVIE}".encode("utf-16-be"), "document type"),
        ("<movie><title>T</movie>", "not well-formed"),
        ("<movie>", "not well-formed"),
        ("<movie/></nfo><nfo>", "not well-formed"),
        ("<movie>&#0;</movie>", "not well-formed"),
        ("<movie><title>\x01</title></movie>", "not well-formed"),
        ("<html><br></html>", "not well-formed"),
        ("<movie>".encode("utf-16")[:-1], "begins as utf-16"),
        (MOVIE + EPISODE, "both a movie and an episode"),
        (EPISODE + EPISODE.replace("<season>1", "<season>2"), "seasons"),
        (EPISODE.replace("<season>1", "<season>-1"), "season '-1'"),
        (EPISODE.replace("<episode>2", "<episode>two"), "episode 'two'"),
        (EPISODE.replace("<episode>2", "<episode>2.5"), "episode '2.5'"),
        (EPISODE.replace("<episode>2", "<episode>99999999999999999999"), "episode '99999999999999999999'"),
        (EPISODE.replace("<episode>2", "<episode>²"), "episode '²'"),
        ("<movie>" + "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH + "</movie>", "deeper than 50"),
        (" " * MAX_BYTES + MOVIE, "larger than 1 MiB"),
    ],
)
def test_what_is_dangerous_or_senseless_is_refused_by_name(
    write: Write, draft: AssetDraft, content: str | bytes, why: str
) -> None:
    nfo = write("a.nfo", content)

    with pytest.raises(ValidationError, match=why) as caught:
        enriched(draft, nfo)

    assert repr(nfo.path) in str(caught.value)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse_nfo("<movie>" + "<a>" * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1) + "</movie>")


def test_a_shows_counts_are_not_numbers_of_an_episode() -> None:
    assert only("<tvshow><season>-1</season><episode>-1</episode></tvshow>").season_number is None


@pytest.mark.parametrize(
    "text",
    [
        *("<![CDATA[" * 100_000, "<movie>" + "<?xml " * 150_000, "<!" + " " * 1_000_000, " " * 1_000_000),
        *("<movie>" + "&" * 1_000_000, "<movie>" + "<!--" * 250_000, "<movie " + "a" * 1_000_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_keeps_it_busy(text: str) -> None:
    """Quadratic in a mebibyte would be minutes."""
    started = time.process_time()

    with contextlib.suppress(ValidationError):
        parse_nfo(text)

    assert time.process_time() - started < 5


def test_a_file_that_is_gone_or_unreadable_is_named(write: Write, draft: AssetDraft) -> None:
    gone = write("a.nfo", MOVIE)
    os.unlink(gone.path)
    folder = Sidecar(os.path.dirname(gone.path) + "/folder.nfo", 0, 0)
    os.mkdir(folder.path)

    with pytest.raises(ResourceError, match=r"a\.nfo' is gone"):
        enriched(draft, gone)
    with pytest.raises(ResourceError, match=r"folder\.nfo' exists but cannot be read"):
        enriched(draft, folder)


def test_it_has_no_settings() -> None:
    with pytest.raises(ValidationError, match="strict"):
        NfoEnricher({"strict": True})


def test_it_identifies_and_needs_nothing() -> None:
    enricher = NfoEnricher({})

    enricher.check()
    assert enricher.identifies
    assert enricher.version == "1"


PIECES = st.sampled_from(
    [
        *(SHOW, EPISODE, MOVIE, "<movie>", "</movie>", "<title>", "&", "&#0;", "<![CDATA[", "]]>", "<!--"),
        *("<!DOCTYPE a>", "<?xml encoding='utf-7'?>", "<season>", "-1", "<a b='", "\x00", "\ud800"),
    ]
)
NFO_TEXT = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=12).map("".join)
ENCODED = st.builds(
    lambda text, encoding: text.encode(encoding, "replace"),
    NFO_TEXT,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "utf-7"]),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "a.nfo"


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(content=st.one_of(st.binary(), ENCODED))
def test_any_bytes_are_read_or_refused_by_a_library_error(fuzzed: Path, figures: Proof, content: bytes) -> None:
    figures.add({"drawn by Hypothesis": 1})
    fuzzed.write_bytes(content)
    draft = AssetDraft("/a.mkv", "/a.mkv", sidecars=(Sidecar(str(fuzzed), len(content), 0),))

    try:
        found = NfoEnricher({}).enrich(draft)
    except ValidationError as error:
        assert repr(str(fuzzed)) in str(error)  # noqa: PT017  either outcome is right
        return

    assert found.file_path == draft.file_path
    json.dumps(found.metadata["sidecar"] if found.metadata else {})


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(text=NFO_TEXT)
def test_any_text_is_read_or_refused(figures: Proof, text: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    try:
        facts = parse_nfo(text)
    except ValidationError:
        return

    assert all(each.episode_number is None or each.episode_number >= 0 for each in facts)
