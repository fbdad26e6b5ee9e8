"""Which NFO files count, what they tell, and what is wrong with them."""

from __future__ import annotations

import codecs
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

from retrovue_uow.errors import BrokenFileError, ResourceError, ValidationError
from retrovue_uow.media.nfo import MAX_BYTES, NfoEnricher, own_sidecars
from retrovue_uow.media.nfo_text import MAX_DEPTH, MAX_EPISODES, NfoFacts, parse_nfo
from retrovue_uow.model import AssetDraft, Sidecar
from retrovue_uow.rules.drafts import validate_draft_content

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
    (facts,) = parse_nfo(text).roots
    return facts


def told(found: AssetDraft) -> str:
    """The one warning."""
    (warning,) = found.warnings
    return warning


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


def test_the_nfo_of_a_show_is_read_once_for_all_of_its_episodes(write: Write, episode: AssetDraft) -> None:
    enricher, show = NfoEnricher({}), write("tvshow.nfo", "<tvshow><title>The Show</title>")
    episode = attrs.evolve(episode, sidecars=(show,))

    first = enricher.enrich(episode)
    os.unlink(show.path)

    assert enricher.enrich(episode) == first
    assert first.title == "The Show"
    assert first.warnings


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
    assert found.warnings == ()


def test_the_year_may_come_from_the_premiere() -> None:
    assert only("<tvshow><year>0</year><premiered>1984-09-30</premiered></tvshow>").year == 1984
    assert only("<movie><releasedate>1984-09-30</releasedate></movie>").year == 1984
    assert only("<movie><year>soon</year></movie>").year is None


def test_an_episode_outranks_the_file_name_and_says_so(write: Write, episode: AssetDraft) -> None:
    nfo = write("a.nfo", EPISODE)

    found = enriched(episode, nfo)

    assert (found.season_number, found.episode_numbers, found.episode_title) == (1, (2,), "Name")
    assert (found.title, found.year) == ("Read", 1980)
    assert told(found) == (
        f"NFO file {nfo.path!r} says episode S01E02, the file name episode S05E06: the NFO counts, mend the one that is wrong"
    )


def test_an_nfo_that_says_what_the_file_name_says_is_no_contradiction(write: Write, episode: AssetDraft) -> None:
    episode = attrs.evolve(episode, season_number=1, episode_numbers=(2,))

    assert enriched(episode, write("a.nfo", EPISODE)).warnings == ()
    assert enriched(episode, write("a.nfo", EPISODE.replace("<season>1</season>", ""))).warnings == ()


@pytest.mark.parametrize("last", ["3", "", "2", "-1"])
def test_an_nfo_of_some_of_the_episodes_loses_none(write: Write, episode: AssetDraft, last: str) -> None:
    nfo = write("a.nfo", EPISODE.replace("</episode>", f"</episode><episodenumberend>{last}</episodenumberend>"))

    found = enriched(attrs.evolve(episode, season_number=1, episode_numbers=(2, 3)), nfo)

    assert found.episode_numbers == (2, 3)
    assert len(found.warnings) == (last == "-1")


def test_the_last_episode_may_be_a_number_alone(write: Write, draft: AssetDraft) -> None:
    own = EPISODE.replace("</episode>", "</episode><episodenumberend>4</episodenumberend>")

    found = enriched(draft, write("a.nfo", own), write("tvshow.nfo", SHOW))

    assert (found.kind, found.season_number, found.episode_numbers) == ("episode", 1, (2, 3, 4))
    assert found.metadata["sidecar"]["episodes"] == [{"title": "Name", "season": "1", "episode": "2", "episodenumberend": 4}]


@pytest.mark.parametrize("last", [1, 2 + MAX_EPISODES])
def test_a_last_episode_that_cannot_be_is_left_out(last: int) -> None:
    nfo = parse_nfo(EPISODE.replace("</episode>", f"</episode><episodenumberend>{last}</episodenumberend>"))

    assert [root.episode_numbers for root in nfo.roots] == [(2,)]
    assert f"episodenumberend {last} to episode 2" in nfo.problems[0]


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
    assert parse_nfo(f"<xbmcmultiepisode>{EPISODE}</xbmcmultiepisode>").roots == parse_nfo(EPISODE).roots


def test_a_movie_gives_kind_title_and_year(write: Write, draft: AssetDraft, episode: AssetDraft) -> None:
    nfo = write("a.nfo", MOVIE)

    for before in (draft, episode):
        found = enriched(before, nfo)
        assert (found.kind, found.title, found.year) == ("movie", "The Movie", 1984)
        assert (found.season_number, found.episode_numbers, found.episode_title) == (None, (), None)
        assert len(found.warnings) == (before is episode)
    assert "says a movie, the file name episode S05E06" in told(found)


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


def test_ids_of_every_spelling_are_kept_by_their_site() -> None:
    facts = only(
        "<movie><uniqueid type='tmdb' default='true'>97</uniqueid><uniqueid>?</uniqueid><tmdbid>98</tmdbid><tvdb_id>5</tvdb_id>"
        "<id>tt0084827</id></movie> https://www.imdb.com/title/tt1 https://thetvdb.com/?tab=series&id=6"
    ).facts

    assert facts["uniqueids"] == {"tmdb": "97", "unknown": "?", "tvdb": "5", "imdb": "tt0084827"}
    assert facts["default_uniqueid"] == "tmdb"
    assert only("<movie><id>42</id></movie>").facts == {"uniqueids": {"unknown": "42"}}
    assert only("<movie><id>-1</id></movie>").facts == {}


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("https://www.imdb.com/title/tt0084827/", {"imdb": "tt0084827"}),
        ("https://www.themoviedb.org/tv/97-tron?a=b&c=d", {"tmdb": "97"}),
        ("https://thetvdb.com/index.php?tab=series&id=77&lid=7", {"tvdb": "77"}),
        ("https://thetvdb.com/dereferrer/series/77", {"tvdb": "77"}),
    ],
)
def test_a_link_gives_an_id_and_nothing_more(write: Write, episode: AssetDraft, url: str, ids: dict[str, str]) -> None:
    found = enriched(episode, write("a.nfo", url), write("tvshow.nfo", f"{SHOW}\n{url}"))

    assert attrs.evolve(found, metadata={}, sidecars=None) == attrs.evolve(episode, title="The Show", year=1984)
    show = {"title": "The Show", "year": "1984", "uniqueids": ids}
    assert found.metadata["sidecar"] == {"show": show, "file": {"uniqueids": ids}}


def test_ratings_are_out_of_ten() -> None:
    rating = "<rating name='a' max='100'><value>67,5</value><votes>1,234</votes></rating><rating><value>8.125</value></rating>"
    odd = "<rating name='b'><value>11</value></rating><rating name='c' max='0'><value>1</value></rating><rating name='d'/>"

    assert only(f"<movie><ratings>{rating}{odd}</ratings></movie>").facts == {
        "ratings": {"a": {"value": 6.75, "votes": 1234}, "default": {"value": 8.125}}
    }
    assert only("<movie><rating>7.5</rating><votes>9</votes></movie>").facts == {
        "ratings": {"default": {"value": 7.5, "votes": 9}}
    }


def test_where_specials_are_shown_and_who_may_see_them_are_kept() -> None:
    texts = {"certification": "FSK 12", "customrating": "late", "releasedate": "1984-09-30"}
    numbers = {"displayseason": 2, "displayepisode": 0, "displayafterseason": 1}
    numbers |= {"airsbefore_season": 3, "airsbefore_episode": 4, "airsafter_season": 5}
    stated = "".join(f"<{tag}>{value}</{tag}>" for tag, value in {**texts, **numbers}.items())

    assert only(f"<episodedetails>{stated}</episodedetails>").facts == {**texts, **numbers}
    assert only("<episodedetails><displayseason>-1</displayseason></episodedetails>").facts == {}


def test_a_show_names_its_seasons() -> None:
    named = "<namedseason number='1'>Dawn</namedseason><namedseason number='2'/>"

    assert only(f"<tvshow>{named}</tvshow>").facts == {"named_seasons": {"1": "Dawn"}}


def test_season_nfo_tells_a_season_that_is_not_known(write: Write, draft: AssetDraft, episode: AssetDraft) -> None:
    season = write("Folder/season.nfo", "<season><title>Dawn</title><seasonnumber>2</seasonnumber></season>")
    own, show = write("a.nfo", EPISODE.replace("<season>1</season>", "")), write("tvshow.nfo", SHOW)

    found = enriched(draft, season, own, show)
    known = enriched(episode, season)

    assert (found.season_number, found.episode_numbers, found.warnings) == (2, (2,), ())
    assert found.metadata["sidecar"]["season"] == {"title": "Dawn"}
    assert (known.season_number, known.episode_numbers, known.metadata) == (5, (6,), {})
    assert told(known) == f"season.nfo in {os.path.dirname(season.path)!r} says season 2, but files there are of another one"
    assert enriched(draft, season) == attrs.evolve(draft, sidecars=(season,))


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
        (MOVIE.replace("The", "A &amp; B & C &eacute; &copyright; &LT; &#65;").encode(), "A & B & C é &copyright; < A Movie"),
        (MOVIE.replace("The", "<![CDATA[A & B]]>").encode(), "A & B Movie"),
        (f"{MOVIE}\nhttps://www.themoviedb.org/movie/1?a=b&c=d".encode(), "The Movie"),
        (f"https://example.org/?a&b\n{MOVIE}".encode(), "The Movie"),
        (f"\r\n  <!-- a -->{MOVIE}<unknown/>".encode(), "The Movie"),
        (MOVIE.upper().encode(), "THE MOVIE"),
    ],
)
def test_slips_are_tolerated(write: Write, draft: AssetDraft, content: bytes, title: str) -> None:
    found = enriched(draft, write("a.nfo", content))

    assert (found.title, found.warnings) == (title, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf",
        b" \r\n",
        b"https://example.org/movie/1?a=b&c=d",
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


# what is wrong


@pytest.mark.parametrize(
    ("content", "why", "title"),
    [
        (f"<!DOCTYPE movie>{MOVIE}", "document type", "The Movie"),
        (f"<!doctype movie SYSTEM 'file:///etc/passwd'>{MOVIE}", "document type", "The Movie"),
        (f"<!DOCTYPE m [<!ENTITY a 'b'>]>{MOVIE}", "declares entities", None),
        (f"<!ENTITY a 'b'>{MOVIE}", "declares entities", None),
        (f"<!DOC<!DOCTYPE>TYPE movie>{MOVIE}", "not well-formed", None),
        (f"<!DOCTYPE movie>{MOVIE}".encode("utf-16"), "document type", "The Movie"),
        (f"<!DOCTYPE movie>{MOVIE}".encode("utf-16-be"), "document type", "The Movie"),
        ("<movie><title>T</movie>", "not well-formed", None),
        ("<movie><title>Half of it", "not well-formed", None),
        ("<movie><title>The Movie</title><plot>Half of", "not well-formed", "The Movie"),
        (f"{MOVIE}<br>", "not well-formed", "The Movie"),
        (f"{MOVIE}\0\0\0\0", "XML forbids", "The Movie"),
        ("\0" * 400, "XML forbids", None),
        (MOVIE.replace("The", "Thé").encode() + b"\xff\xfe\x93", "not UTF-8 to its end", "Thé Movie"),
        (MOVIE.replace("</title>", "</title><plot>a < b</plot>"), "'<' that begins no element", "The Movie"),
        ("<movie/></nfo><nfo>", "not well-formed", None),
        ("<movie><title>The&#0; Movie</title></movie>", "XML forbids", "The Movie"),
        ("<movie><title>&#xd800;</title></movie>", "XML forbids", None),
        ("<movie><title>The \x01Movie</title></movie>", "XML forbids", "The Movie"),
        ("<html><br></html>", "not well-formed", None),
        (MOVIE.encode("utf-16")[:-1], "begins as utf-16", "The Movie"),
        (codecs.BOM_UTF8 + MOVIE.replace("The", "Thé").encode("cp1252"), "begins as utf-8-sig", "Thé Movie"),
        (f"{MOVIE}{EPISODE}", "both a movie and an episode", None),
        (EPISODE + EPISODE.replace("<season>1", "<season>2"), "seasons 1 and 2", None),
        (EPISODE.replace("<season>1", "<season>-1"), "season '-1'", None),
        (EPISODE.replace("<episode>2", "<episode>two"), "episode 'two'", None),
        (EPISODE.replace("<episode>2", "<episode>1.5"), "episode '1.5'", None),
        (EPISODE.replace("<episode>2", "<episode>99999999999999999999"), "episode '99999999999999999999'", None),
        (EPISODE.replace("<episode>2", "<episode>²"), "episode '²'", None),
        (MOVIE.replace("</movie>", "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH + "</movie>"), "deeper than 50", "The Movie"),
        (MOVIE.replace("The", "The" * 1000), "title of 3006 characters", None),
        (" " * MAX_BYTES + MOVIE, "larger than 1 MiB", None),
    ],
)
def test_what_is_dangerous_or_senseless_is_warned_of_by_name_and_the_rest_is_read(
    write: Write, draft: AssetDraft, content: str | bytes, why: str, title: str | None
) -> None:
    nfo = write("a.nfo", content)

    found = enriched(draft, nfo)

    assert found.title == title
    assert why in "; ".join(found.warnings)
    assert all(warning.startswith(f"NFO file {nfo.path!r} ") for warning in found.warnings)


def test_an_nfo_that_breaks_off_does_not_take_episodes_from_the_file_name(write: Write, episode: AssetDraft) -> None:
    found = enriched(episode, write("a.nfo", f"{EPISODE}<episodedetails><season>1</season><episode>3"))

    assert (found.season_number, found.episode_numbers, found.episode_title) == (5, (6,), "Name")
    assert "not well-formed" in told(found)


def test_warnings_of_others_stay(write: Write, draft: AssetDraft) -> None:
    found = enriched(attrs.evolve(draft, warnings=("first",)), write("a.nfo", "<movie>"))

    assert found.warnings[0] == "first"
    assert len(found.warnings) == 2


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse_nfo("<movie>" + "<a>" * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1) + "</movie>").problems == ()


def test_a_shows_counts_are_not_numbers_of_an_episode() -> None:
    assert only("<tvshow><season>-1</season><episode>-1</episode></tvshow>").season_number is None


@pytest.mark.parametrize(
    "text",
    [
        *("<![CDATA[" * 100_000, "<movie>" + "<?xml " * 150_000, "<!" + " " * 1_000_000, " " * 1_000_000),
        *("<movie>" + "&" * 1_000_000, "<movie>" + "<!--" * 250_000, "<movie " + "a" * 1_000_000),
        *("<!DOCTYPE [" * 90_000, "<movie>" + "< " * 500_000, "<movie/>" + "thetvdb.com/" * 80_000, "<movie>" + "&#" * 500_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_keeps_it_busy(text: str) -> None:
    """Quadratic in a mebibyte would be minutes."""
    started = time.process_time()

    parse_nfo(text)

    assert time.process_time() - started < 5


def test_a_file_that_is_gone_or_unreadable_is_named(write: Write, draft: AssetDraft) -> None:
    gone = write("a.nfo", MOVIE)
    os.unlink(gone.path)
    folder = Sidecar(os.path.dirname(gone.path) + "/folder.nfo", 0, 0)
    os.mkdir(folder.path)

    with pytest.raises(BrokenFileError, match=r"a\.nfo' is gone"):
        enriched(draft, gone)
    with pytest.raises(ResourceError, match=r"folder\.nfo' exists but cannot be read"):
        enriched(draft, folder)


def test_a_file_that_may_not_be_read_is_a_warning(
    write: Write, draft: AssetDraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chmod(write("a.nfo", MOVIE).path, 0)
    tmp_path.chmod(0o711)
    monkeypatch.chdir(tmp_path)
    us = os.geteuid()
    if us == 0:  # who may read everything
        os.seteuid(65534)
    try:
        read = enriched(draft, Sidecar("a.nfo", 0, 0))
    finally:
        os.seteuid(us)

    assert read.warnings == ("NFO file 'a.nfo' cannot be read (Permission denied): allow it, and touch the file",)
    assert read.title == draft.title


def test_it_has_no_settings() -> None:
    with pytest.raises(ValidationError, match="strict"):
        NfoEnricher({"strict": True})


def test_it_identifies_and_needs_nothing() -> None:
    enricher = NfoEnricher({})

    enricher.check()
    assert enricher.identifies


PIECES = st.sampled_from(
    [
        *(SHOW, EPISODE, MOVIE, "<movie>", "</movie>", "<title>", "&", "&#0;", "<![CDATA[", "]]>", "<!--"),
        *(
            "<!DOCTYPE a>",
            "<?xml encoding='utf-7'?>",
            "<season>",
            "-1",
            "<a b='",
            "\x00",
            "\ud800",
            "<",
            "&eacute;",
            "&#xd800;",
        ),
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
def test_any_bytes_are_read_and_what_is_wrong_is_said(fuzzed: Path, figures: Proof, content: bytes) -> None:
    figures.add({"drawn by Hypothesis": 1})
    fuzzed.write_bytes(content)
    draft = AssetDraft("/a.mkv", "/a.mkv", sidecars=(Sidecar(str(fuzzed), len(content), 0),))

    found = NfoEnricher({}).enrich(draft)

    assert found.file_path == draft.file_path
    assert all(warning.startswith(f"NFO file {str(fuzzed)!r} ") for warning in found.warnings)
    json.dumps(found.metadata["sidecar"] if found.metadata else {}, allow_nan=False).encode()
    validate_draft_content(found)


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(text=NFO_TEXT)
def test_any_text_is_read(figures: Proof, text: str) -> None:
    figures.add({"drawn by Hypothesis": 1})

    nfo = parse_nfo(text)

    assert all(number >= 0 for root in nfo.roots for number in root.episode_numbers)
    assert nfo.is_whole or nfo.problems
