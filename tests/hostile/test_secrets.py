"""A secret of a configuration reaches who needs it, and is shown nowhere."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from commandline import Run
from harness import mounted, movie
from loguru import logger

from retrovue_uow import (
    AssetDraft,
    Catalog,
    PathMapping,
    PreparedIngest,
    ResourceError,
    RetroVueError,
    ValidationError,
    as_json,
)
from retrovue_uow.media import plugins
from retrovue_uow.model import Json
from retrovue_uow.secrets import is_secret_name, masked, redacted, redacted_row, redacted_text, secrets_of
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

LITERAL, BY_NAME, IN_URL, IN_QUERY = "lit'eral-5eCr3t", "by-name-5eCr3t", "url-5eCr3t%21", "query-5eCr3t"
SECRETS = (LITERAL, repr(LITERAL)[1:-1], BY_NAME, IN_URL, "url-5eCr3t!", IN_QUERY)
CONFIG = {
    "host": "station.example",
    "accessToken": LITERAL,
    "pin": "env:STATION_PIN",
    "servers": [{"url": f"https://guest:{IN_URL}@station.example/?X-Plex-Token={IN_QUERY}&page=2"}],
}
UUID = "01a211e0-8517-7611-9495-4ba5327b06c8"
TRUE = {**CONFIG, "pin": BY_NAME}
SHOWN = {
    **CONFIG,
    "accessToken": "***",
    "servers": [{"url": "https://guest:***@station.example/?X-Plex-Token=***&page=2"}],
}

pytestmark = pytest.mark.proof(
    "A secret reaches who needs it, and is shown nowhere",
    how="literal and named secrets in every configuration; looked for in results, errors, logs, JSON, `repr`, the journal, the "
    "cache and the output of every command",
)


@attrs.define
class Told(FakeImporter):
    """An importer that remembers with what it was made."""

    made_with: list[Json] = attrs.field(factory=list)

    def __call__(self, config: Json) -> Told:
        self.made_with.append(config)
        return self


@attrs.define
class ToldEnricher(FakeEnricher):
    """An enricher that remembers with what it was made."""

    made_with: list[Json] = attrs.field(factory=list)

    def __call__(self, config: Json) -> ToldEnricher:
        self.made_with.append(config)
        return self


@attrs.frozen
class Station:
    """A catalogue whose source and enricher hold secrets, with all that was logged since before they were added."""

    catalog: Catalog
    importer: Told
    enricher: ToldEnricher
    log: io.StringIO

    def refresh(self) -> None:
        self.catalog.ingest_collection("Shows", refresh="all")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    sink = io.StringIO()
    logger.enable("retrovue_uow")
    number = logger.add(sink, level="TRACE", serialize=True, diagnose=True, backtrace=True)
    yield sink
    with suppress(ValueError):  # a command removes all sinks, since its process is its own
        logger.remove(number)
    logger.disable("retrovue_uow")


@pytest.fixture
def station(here: Path, media: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("STATION_PIN", BY_NAME)
    importer, enricher = Told([movie("Tron", 1982)]), ToldEnricher(cached_by="file")
    with Catalog("catalog.db", importers={"told": importer}, enrichers={"told": enricher}) as catalog:
        catalog.add_source("station", "told", CONFIG)
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
        catalog.attach_enricher("Shows", "told", config=CONFIG)
        catalog.ingest_collection("Shows")
        yield Station(catalog, importer, enricher, log)


def assert_tells_no_secret(text: str) -> None:
    told = [secret for secret in SECRETS if secret in text]
    assert not told, text
    assert "5eCr3t" not in text


def shown_forms(value: object) -> str:
    return "\n".join((repr(value), str(value), json.dumps(as_json(value), default=str), f"{value}"))


def test_importer_and_enricher_get_the_true_values(station: Station) -> None:
    assert all(config == TRUE for config in (*station.importer.made_with, *station.enricher.made_with))
    assert len(station.importer.made_with) >= 2


def test_code_that_asks_for_a_configuration_gets_it_as_it_is_stored(station: Station) -> None:
    (source,) = station.catalog.sources()
    (attached,) = station.catalog.collection("Shows").enrichers

    assert source.config == CONFIG
    assert attached.config == CONFIG
    assert as_json(source) == {"id": source.id, "name": "station", "type": "told", "config": SHOWN}
    assert as_json(attached) == {"type": "told", "priority": 100, "config": SHOWN}


def all_changes(catalog: Catalog) -> list[object]:
    return [list(catalog.changes(unit.id).rows) for unit in catalog.history(100)]


ASKING: dict[str, Callable[[Catalog], object]] = {
    "sources": lambda catalog: catalog.sources(),
    "collections": lambda catalog: catalog.collections(),
    "collection": lambda catalog: catalog.collection("Shows"),
    "history": lambda catalog: catalog.history(100),
    "operations": lambda catalog: [list(unit.operations) for unit in catalog.history(100)],
    "changes": all_changes,
    "changes_lazily": lambda catalog: [catalog.changes(unit.id) for unit in catalog.history(100)],
    "ingest": lambda catalog: catalog.ingest_collection("Shows"),
    "dry_run": lambda catalog: catalog.ingest_collection("Shows", refresh="all", dry_run=True),
    "ingest_source": lambda catalog: catalog.ingest_source("station"),
    "discover": lambda catalog: catalog.discover_collections("station"),
    "prepare": lambda catalog: catalog.prepare_ingest("Shows"),
    "check": lambda catalog: catalog.check(),
    "wipe": lambda catalog: catalog.wipe_collection("Shows"),
    "undo": lambda catalog: catalog.undo(catalog.history(1)[0].id, dry_run=True),
    "detach": lambda catalog: catalog.detach_enricher("Shows", "told"),
    "add": lambda catalog: catalog.add_source("other", "told", {**CONFIG, "cookie": LITERAL}),
    "disable": lambda catalog: catalog.disable_collection("Shows"),
}


@pytest.mark.parametrize("asked", ASKING)
def test_no_value_shows_a_secret(station: Station, asked: str) -> None:
    value = ASKING[asked](station.catalog)

    if isinstance(value, PreparedIngest):
        value.close()
        value = repr(value)
    assert_tells_no_secret(shown_forms(value))
    assert_tells_no_secret(station.log.getvalue())


def all_commands(catalog: Catalog) -> list[tuple[str, ...]]:
    units = [unit.id for unit in catalog.history(100)]
    looking = [
        ("source", "list"),
        ("collection", "list"),
        ("collection", "show", "Shows"),
        ("enricher", "list"),
        ("enricher", "list", "Shows"),
        ("history",),
        *(("history", "show", unit) for unit in units),
        ("check",),
    ]
    of_units = [("history", "show", unit, "--verbose", *json) for unit in units for json in ((), ("--json",))]
    undoing = [("undo", unit, "--dry-run", *more) for unit in units for more in ((), ("--verbose",), ("--verbose", "--json"))]
    failing = [
        ("--debug", "source", "add", "station", "--config", json.dumps(CONFIG)),
        ("--debug", "source", "add", "new", "--config", json.dumps(CONFIG)),
        ("--debug", "source", "add", "new", "--config", json.dumps({**CONFIG, "root": float("nan")})),
        ("--debug", "source", "add", "new", "--config", json.dumps(CONFIG)[:-1]),
        ("--debug", "source", "add", "new", "--config", json.dumps([CONFIG])),
        ("--debug", "enricher", "attach", "Shows", "ffprobe", "--config", json.dumps(CONFIG)),
        ("--debug", "source", "discover", "station"),
        ("--debug", "collection", "ingest", "Shows"),
    ]
    changing = [
        ("collection", "disable", "Shows", "--json"),
        ("collection", "wipe", "Shows", "--force", "--verbose"),
        ("enricher", "detach", "Shows", "told", "--json"),
        ("collection", "remove", "Shows", "--json"),
        ("undo", "--force", "--verbose"),
        ("undo", "--force", "--verbose", "--json"),
        ("source", "remove", "station", "--json"),
    ]
    return [*looking, *((*command, "--json") for command in looking), *of_units, *undoing, *failing, *changing]


def test_no_command_shows_a_secret(station: Station, run: Run, tmp_path: Path) -> None:
    log_file = tmp_path / "log.json"

    for arguments in all_commands(station.catalog):
        result = run("--log-json", log_file, *arguments)

        assert_tells_no_secret(result.output + result.stderr)
        assert result.output
        assert "Traceback" not in result.output or "--debug" in arguments, result.output
    assert_tells_no_secret(log_file.read_text())


def test_no_secret_is_in_the_journal_s_text_or_the_cache(station: Station) -> None:
    station.refresh()
    station.catalog.close()
    rows = snapshot("catalog.db")
    told = {name: rows[name] for name in ("unit_of_work", "operation")}
    cache = b"".join(path.read_bytes() for path in Path().glob("catalog.db.cache.db*"))

    assert "told" in repr(told)
    assert_tells_no_secret(repr(told))
    assert cache
    assert_tells_no_secret(cache.decode("latin-1"))


def test_the_catalogue_never_holds_what_a_reference_refers_to(station: Station) -> None:
    station.refresh()
    station.catalog.close()

    content = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())

    assert BY_NAME.encode() not in content
    assert b"env:STATION_PIN" in content


def test_undo_brings_back_the_true_configuration_bit_for_bit(station: Station) -> None:
    catalog = station.catalog
    before = snapshot(catalog, journal=False)
    catalog.wipe_collection("Shows")
    catalog.detach_enricher("Shows", "told")
    catalog.remove_collection("Shows")
    catalog.remove_source("station")

    for unit in catalog.history(4):
        catalog.undo(unit.id)

    after = snapshot(catalog, journal=False)
    assert after["source"] == before["source"]
    assert LITERAL in json.loads(before["source"][0][3])["accessToken"]
    assert after["collection_enricher"] == before["collection_enricher"]
    assert after["asset"] == before["asset"]


def test_a_reference_counts_by_itself_in_the_fingerprint(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATION_PIN", "another-5eCr3t")

    assert station.catalog.ingest_collection("Shows", refresh="changed").unchanged == 1
    assert station.enricher.made_with[-1]["pin"] == "another-5eCr3t"


def test_a_variable_that_is_not_set_is_named_where_the_source_is_used(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATION_PIN")
    before = snapshot(station.catalog)

    for use in (
        lambda: station.catalog.ingest_collection("Shows"),
        lambda: station.catalog.discover_collections("station"),
        lambda: station.catalog.add_source("again", "told", CONFIG),
    ):
        with pytest.raises(RetroVueError, match=r"environment variable 'STATION_PIN'.* is not set") as caught:
            use()
        assert isinstance(getattr(caught.value, "cause", None), ResourceError)
        assert_tells_no_secret("".join(traceback.format_exception(caught.value)))
    assert [source.name for source in station.catalog.sources()] == ["station"]
    assert snapshot(station.catalog) == before


@attrs.frozen
class Blabbing:
    """An importer and enricher that tells its configuration in whatever it raises at one point."""

    at: str
    raising: Callable[[str], BaseException]
    config: Mapping[str, Any] = attrs.field(factory=dict)

    def __call__(self, config: Json) -> Blabbing:
        made = attrs.evolve(self, config=config)
        made._fail_at("factory")
        return made

    def _fail_at(self, point: str) -> None:
        if point == self.at:
            url = self.config["servers"][0]["url"]
            try:
                raise OSError(f"login with {self.config['accessToken']}")
            except OSError as error:
                error.add_note(str(self.config))
                text = f"GET {url} with {self.config!r} and {json.dumps(self.config)}: url-5eCr3t!"
                raise self.raising(text) from error

    def check(self) -> None:
        self._fail_at("check")

    def collections(self) -> Sequence[Any]:
        self._fail_at("collections")
        return [self] if self.at == "odd" else []

    def discover(self, _: object, mappings: Sequence[PathMapping], __: object) -> Sequence[AssetDraft]:
        self._fail_at("discover")
        return [mounted(movie("Tron", 1982), mappings[0].local_path)]

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        self._fail_at("enrich")
        return draft


def ingested(catalog: Catalog, folder: Path) -> None:
    catalog.add_collection("blab", "C", path_mappings={"/media": str(folder)})
    catalog.attach_enricher("C", "blab", config=CONFIG)
    catalog.ingest_collection("C")


USES: dict[str, Callable[[Catalog, Path], object]] = {
    "factory": lambda catalog, folder: None,
    "check": lambda catalog, folder: catalog.discover_collections("blab"),
    "collections": lambda catalog, folder: catalog.discover_collections("blab"),
    "odd": lambda catalog, folder: catalog.discover_collections("blab"),
    "discover": ingested,
    "enrich": ingested,
}


@pytest.mark.parametrize("raising", [RuntimeError, ValidationError, ResourceError, KeyError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("point", USES)
def test_errors_that_embed_the_configuration_tell_no_secret(
    tmp_path: Path, media: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, point: str, raising: type[Exception]
) -> None:
    monkeypatch.setenv("STATION_PIN", BY_NAME)
    blab = Blabbing(point, raising)
    with Catalog(tmp_path / "catalog.db", importers={"blab": blab}, enrichers={"blab": blab}) as catalog:
        with pytest.raises(RetroVueError) as caught:
            catalog.add_source("blab", "blab", CONFIG)
            USES[point](catalog, media)

        cause: object = getattr(caught.value, "cause", None)
        assert isinstance(cause, ValidationError if raising is ValidationError or point == "odd" else ResourceError)
        assert_tells_no_secret("".join(traceback.format_exception(caught.value)))
        assert_tells_no_secret(shown_forms(cause) + shown_forms(caught.value) + repr(caught.value.args))
        assert "***" in str(caught.value)
        assert_tells_no_secret(log.getvalue() + repr(catalog.history()))


def test_an_error_that_tells_no_secret_keeps_the_errors_behind_it() -> None:
    def failing(config: Json) -> Any:
        raise OSError("no route to host")

    with pytest.raises(ResourceError, match="no route to host") as caught:
        plugins.make_importer("x", {"token": LITERAL}, {"x": failing})

    assert isinstance(caught.value.__cause__, OSError)


def test_a_secret_given_to_an_operation_of_one_s_own_is_not_kept(catalog: Catalog, log: io.StringIO) -> None:
    with catalog.operation("login", api_key=LITERAL, headers={"Authorization": LITERAL}, canonical_key="/media/a.mkv") as op:
        with op.preflight():
            pass
        with op.execution() as db:
            db.execute("INSERT INTO source (id, name, type, config, created_at) VALUES (?, 'x', 'y', '{}', '2026')", (UUID,))
        with op.postvalidation():
            pass
        op.finish({"session_cookie": LITERAL, "users": 3})

    (operation,) = catalog.history(1)[0].operations
    assert operation.arguments == {"api_key": "***", "headers": {"Authorization": "***"}, "canonical_key": "/media/a.mkv"}
    assert operation.result == {"session_cookie": "***", "users": 3}
    assert_tells_no_secret(log.getvalue() + repr(snapshot(catalog).tables))


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *((name, True) for name in ("token", "Token", "TOKEN", "accessToken", "access_token", "X-Plex-Token", "plexTOKEN")),
        *((name, True) for name in ("apikey", "APIKey", "apiKey", "api_key", "API-KEY", "key", "tokens", "user.password")),
        *((name, True) for name in ("passwd", "Authorization", "cookies", "client_secret", "credentials", "token2", "keyV2")),
        *(
            (name, True)
            for name in ("authtoken", "accesstoken", "plextoken", "secretkey", "auth", "pass", "bearer", "sessionid")
        ),
        *(
            (name, True)
            for name in ("ToKeN", "ACCESStOKEN", "jsessionid", "oauth2", "db_pwd", "sig", "passphrase", "\uff54oken")
        ),
        *((name, True) for name in ("authOrder", "auth_order", "keyframeKey", "authorToken", "monkeypass", "passkeyboard")),
        *((name, False) for name in ("tokenizer", "keyboard", "monkey", "secretary", "root", "", "canonical_key", "hockey")),
        *((name, False) for name in ("keyframes", "keyFrames", "KEY_FRAME", "keyframe_interval", "keywords", "keyint_min")),
        *((name, False) for name in ("author", "authorName", "authors", "authority", "compass", "passenger", "ftp_passive")),
        *((name, False) for name in ("ratingKey", "parentRatingKey", "mapAssets", "expect_assets", "lowpass", "signal")),
        (7, False),
        (None, False),
    ],
)
def test_names_that_look_secret(name: object, *, is_secret: bool) -> None:
    assert is_secret_name(name) is is_secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/a", "https://user:***@host/a"),
        ("see https://u:p@ss@host and http://v:q@host2/x?y=1", "see https://u:***@host and http://v:***@host2/x?y=1"),
        ("smb://:pass@host", "smb://:***@host"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("https://host/?page=2&api_key=abc#top", "https://host/?page=2&api_key=***#top"),
        ("https://host/?X-Plex%2DToken=abc", "https://host/?X-Plex%2DToken=***"),
        ("https://host/?page=2&auth=abc&sig=def", "https://host/?page=2&auth=***&sig=***"),
        ("https://host/x;jsessionid=12", "https://host/x;jsessionid=***"),
        ("/library/parts?X-Plex-Token=abc&page=2", "/library/parts?X-Plex-Token=***&page=2"),
        ("see https://TOKEN@host/ and git+https://abc@host", "see https://***@host/ and git+https://***@host"),
        ("http://u:p/ss@h/", "http://u:***@h/"),
        ("http://u:p?s#s@h/", "http://u:***@h/"),
        ("https://user:pass@host/a@b", "https://user:***@host/a@b"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("user:pass@host", "user:pass@host"),
    ],
)
def test_secrets_in_urls(text: str, shown: str) -> None:
    assert redacted_text(text) == shown
    assert redacted_text(shown) == shown
    assert redacted({"url": [text]}) == {"url": [shown]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("-H 'authorization:Basic dXNlcg=='", "-H 'authorization:***"),
        ("GET with Bearer abc, twice", "GET with Bearer ***, twice"),
        ("Accept: */*\nCookie: a=b; c=d\nHost: x", "Accept: */*\nCookie: ***\nHost: x"),
        ("Server=nas; Password='x y';Port=3", "Server=nas; Password=***;Port=3"),
        ('{"token": "abc"}', '{"token": ***'),
        ("Keyframes: 12, author=Poe", "Keyframes: 12, author=Poe"),
    ],
)
def test_secrets_in_texts_and_lists(text: str, shown: str) -> None:
    assert redacted_text(text) == shown
    assert redacted_text(shown) == shown
    assert redacted([[text]]) == [[shown]]


def test_a_secret_that_follows_its_name_in_a_list_is_masked() -> None:
    listed = {"args": ["--token", "abc", "-v", "2"], "headers": [["Cookie", "abc"], ["Accept", "abc"]]}

    assert redacted(listed) == {"args": ["--token", "***", "-v", "2"], "headers": [["Cookie", "***"], ["Accept", "abc"]]}
    assert redacted(["Monkey/key.mkv", "b.mkv"]) == ["Monkey/key.mkv", "b.mkv"]


@pytest.mark.parametrize(
    "path",
    [
        "/media/Passengers (2016)/Monkey/key.mkv",
        "/media/Ring Bearer of Light/The Key: Part 1.mkv",
        "/media/a&token=b.mkv",
        "/media/What? token=x.mkv",
        "Movies/The Key: Part 1 auth=x.mkv",
        "C:\\Videos\\key=a.mkv",
        "\\\\nas\\Videos\\Cookie: a.mkv",
        "smb://guest@nas/The Key: Part 1/key=a.mkv",
        "sftp://guest@nas/Bearer of News.mkv",
        "local://C:/x@y.mkv",
    ],
)
def test_paths_of_files_are_shown_as_they_are(path: str) -> None:
    assert redacted_text(path) == path
    assert redacted({"paths": [path, path], "canonical_key": path}) == {"paths": [path, path], "canonical_key": path}


def test_what_is_masked_is_looked_for_in_errors() -> None:
    config = {"list": ["Authorization: Bearer 5eCr3t-a", "https://5eCr3t%2Db@host/?sig=5eCr3t-c"], "args": ["-key", "5eCr3t-d"]}

    told = masked("5eCr3t-a 5eCr3t%2Db 5eCr3t-b 5eCr3t-c 5eCr3t-d https://host", secrets_of(config))

    assert told == "*** *** *** *** *** https://host"


def test_what_holds_no_secret_is_shown_as_it_is() -> None:
    config = {"root": "/media", "token": None, "cookie": True, "password": "", "secret": "env:X", "list": [1, 2.5, None]}

    assert redacted(config) == config
    assert redacted({"key": 5, "secret": {"a": "b"}, "env": "env:X y", "token": "env:X y"}) == {
        "key": "***",
        "secret": "***",
        "env": "env:X y",
        "token": "***",
    }
    assert secrets_of({"key": "  ", "list": ["token:  "]}) == frozenset()
    assert secrets_of({"key": 12345, "secret": {"a": "bcde"}, "token": "abc", "root": "/media"}) == {"12345", "bcde"}


def test_no_depth_is_too_deep_to_be_redacted() -> None:
    deep: dict[str, object] = {"token": LITERAL}
    for _ in range(5000):
        deep = {"a": deep}

    assert_tells_no_secret(repr(redacted(deep)))
    assert redacted_row("source", {"config": '{"a":' * 100_000}) == {"config": "***"}
    assert secrets_of(deep) == frozenset()


@pytest.mark.parametrize("secret", ["abc'd", 'a"bc', "a\\bc", "a\nbc", "äöüß", "a\U0001f4fab", "\\x00\0'\"", "a.*b+[c]"])
def test_a_secret_is_masked_however_often_it_was_quoted(secret: str) -> None:
    for quote in (repr, ascii, json.dumps):
        once = quote([secret, "'", '"'])
        for text in (secret, once, repr(once), json.dumps(once), json.dumps(repr({"x": once}))):
            told = masked(f"before {text} after", frozenset({secret, "something else"}))
            assert "***" in told
            assert "***" in masked(text, frozenset({secret}))
            assert told.startswith("before ")
            assert told.endswith(" after")
            assert secret not in told


def test_a_secret_within_another_is_masked_whole() -> None:
    assert masked("abcd-efgh abcd", frozenset({"abcd", "abcd-efgh"})) == "*** ***"


def test_rows_of_other_tables_are_shown_as_they_are() -> None:
    row = {"canonical_key": "/a", "config": '{"token": "x"}'}

    assert redacted_row("asset", row) is row
    assert redacted_row("source", row) == {"canonical_key": "/a", "config": '{"token": "***"}'}


def test_the_file_itself_keeps_a_literal_secret(station: Station) -> None:
    connection = apsw.Connection("catalog.db", flags=apsw.SQLITE_OPEN_READONLY)
    ((stored,),) = connection.execute("SELECT config FROM source").fetchall()
    connection.close()

    assert json.loads(str(stored)) == CONFIG


SHARE, MASKED_SHARE = f"smb://guest:{IN_URL}@nas/media", "smb://guest:***@nas/media"


def test_a_password_in_a_path_is_kept_and_shown_nowhere_and_the_file_is_found(
    tmp_path: Path, media: Path, log: io.StringIO
) -> None:
    (media / "a.mkv").write_bytes(b"media")
    found = AssetDraft(f"{media}/a.mkv", f"{SHARE}/a.mkv", size=5, mtime_ns=1, sidecars=(), kind="bumper")
    importer = FakeImporter([found])
    with Catalog(tmp_path / "catalog.db", importers={"fake": importer}) as catalog:
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={SHARE: str(media)})
        ingested = catalog.ingest_collection("Shows")
        processed = catalog.process_asset(found, "Shows")
        rotated = SHARE.replace(IN_URL, "another-5eCr3t")
        importer.drafts = [attrs.evolve(found, source_path=f"{rotated}/a.mkv")]
        again = catalog.ingest_collection("Shows")
        failing: list[Callable[[], object]] = [
            lambda: catalog.map_path("Shows", SHARE, str(media)),
            lambda: catalog.unmap_path("Shows", SHARE),
            lambda: catalog.unmap_path("Shows", f"{SHARE}/x"),
            lambda: catalog.map_path("Shows", f"{SHARE}/../x", "/x"),
            lambda: catalog.map_path("Shows", f"{SHARE}/\0", "/x"),
            lambda: catalog.map_path("Shows", f"{SHARE}/\udcff", "/x"),
            lambda: catalog.map_path("Shows", f"file://guest:{IN_URL}@nas/../x", "/x"),
            lambda: catalog.process_asset(attrs.evolve(found, source_path=f"{SHARE}x/a.mkv"), "Shows"),
            lambda: catalog.process_asset(attrs.evolve(found, size=-1), "Shows"),
            lambda: catalog.process_asset(attrs.evolve(found, title="\udcff"), "Shows"),
        ]
        for fail in failing:
            with pytest.raises(RetroVueError) as caught:
                fail()
            assert_tells_no_secret("".join(traceback.format_exception(caught.value)))
        values = [ingested, processed, again, catalog.collections(), catalog.assets(), catalog.history(), all_changes(catalog)]

    assert (ingested.created, again.unchanged, again.missing) == (1, 1, 0)
    assert processed.asset.canonical_key == f"{MASKED_SHARE}/a.mkv"
    assert processed.asset.file_path == f"{media}/a.mkv"
    assert_tells_no_secret("".join(map(shown_forms, values)) + log.getvalue() + repr(snapshot(tmp_path / "catalog.db").tables))


def test_an_importer_that_reports_paths_with_passwords_shows_none_where_it_fails(
    tmp_path: Path, media: Path, log: io.StringIO
) -> None:
    odd = [AssetDraft(f"{media}/a.mkv", f"{SHARE}/a.mkv", kind="episode"), AssetDraft("/elsewhere/a.mkv", f"{SHARE}x/a.mkv")]
    for draft in odd:
        path = tmp_path / f"{len(draft.source_path)}.db"
        with Catalog(path, importers={"fake": FakeImporter([draft])}) as catalog:
            catalog.add_source("station", "fake")
            catalog.add_collection("station", "Shows", path_mappings={SHARE: str(media)})
            with pytest.raises(RetroVueError, match=r"guest:\*\*\*@nas") as caught:
                catalog.ingest_collection("Shows")
        assert_tells_no_secret("".join(traceback.format_exception(caught.value)) + log.getvalue() + repr(snapshot(path).tables))


def test_where_there_is_no_secret_nothing_is_masked() -> None:
    assert masked("before *** after", frozenset()) == "before *** after"
