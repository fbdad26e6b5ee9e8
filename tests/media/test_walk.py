"""The file-system importer finds each media file once, in order, and refuses by name what it must not skip."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media.roots import on_disk
from retrovue_uow.media.walk import FilesystemImporter, with_sidecars
from retrovue_uow.model import (
    AssetDraft,
    Collection,
    FoundCollection,
    IngestFilters,
    Json,
    PathMapping,
    Sidecar,
)

COLLECTION = Collection(id="c", source_id="s", name="Retro TV")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def files(root: Path) -> Callable[..., None]:
    """Files below the root, with their folders, each holding its own name."""

    def make(*relative_paths: str) -> None:
        for relative_path in relative_paths:
            path = root / relative_path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(path.name))

    return make


def odd_name(name: bytes) -> str:
    return os.fsdecode(name)


def found(
    *local_roots: Path, config: Json | None = None, exclude: tuple[str, ...] = (), source_root: str = "/data"
) -> list[AssetDraft]:
    mappings = [PathMapping(n, f"{source_root}{n or ''}", str(root)) for n, root in enumerate(local_roots)]
    return list(FilesystemImporter(config or {}).discover(COLLECTION, mappings, IngestFilters(exclude=exclude)))


def found_paths(*local_roots: Path, exclude: tuple[str, ...] = (), config: Json | None = None) -> list[str]:
    drafts = found(*local_roots, exclude=exclude, config=config)
    return [os.path.relpath(draft.file_path, local_roots[0]) for draft in drafts]


def test_media_files_are_found_in_the_order_of_their_paths(root: Path, files: Callable[..., None]) -> None:
    expected = ["A/b.mkv", "A/c/d.mp4", "A b/x.avi", "a.mkv", "z/Z.MKV", "é.mpg"]
    files(*reversed(expected), "notes.txt", "A/poster.jpg", "mkv", "z/x.mkv.part")

    paths = found_paths(root)

    assert paths == sorted(expected)


def test_a_draft_holds_what_the_disk_says(root: Path, files: Callable[..., None]) -> None:
    files("Show/ep.mkv")
    os.utime(root / "Show/ep.mkv", ns=(1, 1_234_567_890_123_456_789))

    assert found(root) == [
        AssetDraft(
            file_path=str(root / "Show/ep.mkv"),
            source_path="/data/Show/ep.mkv",
            size=len("ep.mkv"),
            mtime_ns=1_234_567_890_123_456_789,
            sidecars=(),
        )
    ]


@pytest.mark.parametrize(
    ("source_root", "source_path"),
    [
        ("/data/", "/data/x.mkv"),
        ("/", "/x.mkv"),
        ("D:\\tv", "D:/tv/x.mkv"),
        ("file:///my%20tv", "/my tv/x.mkv"),
        ("smb://nas/tv", "smb://nas/tv/x.mkv"),
        ("plex://", "plex://x.mkv"),
    ],
)
def test_the_source_path_starts_as_the_source_reports_it(
    root: Path, files: Callable[..., None], source_root: str, source_path: str
) -> None:
    files("x.mkv")

    assert [draft.source_path for draft in found(root, source_root=source_root)] == [source_path]


def test_hidden_and_system_files_and_folders_are_skipped(root: Path, files: Callable[..., None]) -> None:
    folders = [".hidden", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"]
    files(*(f"{folder}/x.mkv" for folder in folders), ".x.mkv", "._y.mkv", "in.mkv")

    assert found_paths(root) == ["in.mkv"]


def test_only_regular_files_are_media(root: Path, files: Callable[..., None]) -> None:
    files("folder.mkv/in.mkv")
    os.mkfifo(root / "pipe.mkv")

    assert found_paths(root) == ["folder.mkv/in.mkv"]


def test_configured_extensions_replace_the_usual_ones(root: Path, files: Callable[..., None]) -> None:
    files("a.mkv", "b.MP3", "c.ogg")

    assert found_paths(root, config={"extensions": [".Mp3", "OGG"]}) == ["b.MP3", "c.ogg"]


def test_excluded_files_and_folders_are_left_alone(root: Path, files: Callable[..., None]) -> None:
    files("Extras/x.mkv", "Show/Extras/y.mkv", "Show/sample.mkv", "Show/ep.mkv")
    (root / "Show/Extras/loop").symlink_to("/")

    assert found_paths(root, exclude=("extras", "*/Sample.*")) == ["Show/ep.mkv"]


def test_each_folder_is_listed_and_each_file_examined_once(
    root: Path, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files("a/x.mkv", "a/y.mkv", "b/c/z.mkv")
    listed: Counter[str] = Counter()
    scandir = os.scandir

    def counting(path: str) -> object:
        listed[os.path.relpath(path, root)] += 1
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)

    assert len(found(root)) == 3
    assert listed == {".": 1, "a": 1, "b": 1, "b/c": 1}


def test_folder_links_that_loop_end(root: Path, files: Callable[..., None]) -> None:
    files("Show/ep.mkv")
    (root / "a_loop").symlink_to(root)
    (root / "Show/up").symlink_to("..")
    (root / "Show/self").symlink_to("self")
    (root / "Show/ping").symlink_to("pong")
    (root / "Show/pong").symlink_to("ping")

    assert found_paths(root) == ["Show/ep.mkv"]


def test_a_folder_reached_twice_is_walked_once_by_its_own_path(root: Path, files: Callable[..., None]) -> None:
    files("Show/Season 1/ep.mkv", "z.mkv")
    (root / "A link").symlink_to("Show")

    assert found_paths(root) == ["Show/Season 1/ep.mkv", "z.mkv"]


def test_a_folder_link_is_followed_where_nothing_else_leads(root: Path, files: Callable[..., None]) -> None:
    files(".store/ep.mkv", "z.mkv")
    (root / "Show").symlink_to(".store")

    assert found_paths(root) == ["z.mkv", "Show/ep.mkv"]


def test_a_file_link_within_the_root_is_a_draft(root: Path, files: Callable[..., None]) -> None:
    files(".store/ep")
    (root / "ep.mkv").symlink_to(".store/ep")

    assert [draft.size for draft in found(root)] == [len("ep")]


@pytest.mark.parametrize("link", ["Show", "ep.mkv", "deep/ep.mkv"])
def test_a_link_that_leaves_the_root_is_refused_by_name(root: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside.mkv").touch()
    (root / "deep").mkdir()
    (root / link).symlink_to(tmp_path / ("outside.mkv" if link.endswith(".mkv") else "outside"))

    with pytest.raises(ValidationError, match=rf"link '{root}/{link}' leaves"):
        found(root)
    assert found_paths(root, exclude=(link,)) == []


def test_a_sidecar_that_leaves_the_root_is_refused_by_name(root: Path, tmp_path: Path, files: Callable[..., None]) -> None:
    files("ep.mkv")
    (tmp_path / "outside.nfo").touch()
    (root / "ep.nfo").symlink_to(tmp_path / "outside.nfo")

    with pytest.raises(ValidationError, match=r"ep.nfo' leaves"):
        found(root)


def test_a_root_that_is_itself_a_link_is_no_escape(root: Path, tmp_path: Path, files: Callable[..., None]) -> None:
    files("Show/ep.mkv")
    (root / "again").symlink_to(root / "Show")
    (tmp_path / "link").symlink_to(root)

    assert found_paths(tmp_path / "link") == ["Show/ep.mkv"]


def test_a_broken_link_to_media_is_named(root: Path) -> None:
    (root / "notes").symlink_to("gone")
    assert found(root) == []
    (root / "ep.mkv").symlink_to("/gone")

    with pytest.raises(ResourceError, match=r"ep.mkv' is broken") as caught:
        found(root)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_link_to_media_that_loops_is_named(root: Path) -> None:
    (root / "ep.mkv").symlink_to("ep.mkv")

    with pytest.raises(ResourceError, match=r"ep.mkv' cannot be examined") as caught:
        found(root)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ELOOP


def test_a_link_whose_target_cannot_be_examined_is_named(root: Path) -> None:
    (root / "Show").symlink_to("x" * 300)

    with pytest.raises(ResourceError, match=r"Show' cannot be examined \(File name too long"):
        found(root)


def test_a_path_that_is_too_long_for_the_system_is_told_in_one_short_sentence(root: Path) -> None:
    deep = os.open(root, os.O_RDONLY)
    for _ in range(480):
        os.mkdir("o" * 8, dir_fd=deep)
        below = os.open("o" * 8, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)

    with pytest.raises(ResourceError, match=r"ooo', a path of 4\d\d\d bytes, cannot be \w+ \(File name too long\)") as caught:
        found(root)

    assert len(str(caught.value)) < 300
    too_long = AssetDraft(f"{root}/{'o' * 200}" * 30, "/data/x.mkv")
    with pytest.raises(ResourceError, match=r"file .* cannot be examined \(File name too long\)") as caught:
        on_disk([too_long])
    assert len(str(caught.value)) < 300


def test_names_outside_utf8_are_refused_together_and_printable(root: Path, files: Callable[..., None]) -> None:
    files("fine.mkv", odd_name(b"odd\xff.mkv"), odd_name(b"odd\xff.txt"), odd_name(b"folder\xfe/x.mkv"))

    with pytest.raises(ValidationError, match="not UTF-8") as caught:
        found(root)

    text = str(caught.value)
    text.encode()
    assert r"odd\udcff.mkv" in text
    assert r"folder\udcfe" in text
    assert "txt" not in text
    assert found_paths(root, exclude=("odd*", "folder*")) == ["fine.mkv"]


def test_at_most_twenty_odd_names_are_named(root: Path, files: Callable[..., None]) -> None:
    files(*(odd_name(b"%02d\xff.mkv" % n) for n in range(30)))

    with pytest.raises(ValidationError) as caught:
        found(root)
    assert str(caught.value).count(".mkv") == 20


def test_a_folder_that_cannot_be_listed_fails_by_name(
    root: Path, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files("a/x.mkv", "b/y.mkv")
    scandir = os.scandir

    def failing(path: str) -> object:
        if path.endswith("/b"):
            raise OSError(errno.EIO, "Input/output error", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)

    with pytest.raises(ResourceError, match=rf"'{root}/b' cannot be read \(Input/output error\)") as caught:
        found(root)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_entry_that_cannot_be_examined_fails_by_name_of_its_folder(
    root: Path, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files("x.mkv")

    class Untold:
        """An entry on a file system that says what it is only when asked, and then fails."""

        name = "x.mkv"

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", lambda path: contextlib.nullcontext([Untold()]))

    with pytest.raises(ResourceError, match=rf"'{root}' cannot be read \(Input/output error\)"):
        found(root)


def test_a_missing_root_fails_by_name(root: Path) -> None:
    with pytest.raises(ResourceError, match=r"'/no/such' cannot be examined"):
        found(root, Path("/no/such"))


def test_a_root_that_is_a_file_fails_by_name(root: Path, files: Callable[..., None]) -> None:
    files("x.mkv")

    with pytest.raises(ResourceError, match=r"x.mkv' cannot be read \(Not a directory\)"):
        found(root / "x.mkv")


def test_a_file_that_vanishes_while_the_folder_is_read_is_not_found(root: Path, files: Callable[..., None]) -> None:
    files("a.mkv", "b.mkv", "c.mkv")
    walk = FilesystemImporter({}).discover(COLLECTION, [PathMapping(1, "/data", str(root))], IngestFilters())

    first = next(walk)
    (root / "b.mkv").unlink()

    assert [first.source_path, *(draft.source_path for draft in walk)] == ["/data/a.mkv", "/data/c.mkv"]


def test_files_that_vanish_with_their_folder_are_trouble(root: Path, files: Callable[..., None]) -> None:
    files("a.mkv", "b.mkv")
    walk = FilesystemImporter({}).discover(COLLECTION, [PathMapping(1, "/data", str(root))], IngestFilters())

    next(walk)
    root.rename(root.with_name("unmounted"))
    root.mkdir()

    with pytest.raises(ResourceError, match="became another one"):
        list(walk)


def test_nested_mapped_roots_are_walked_once_by_their_own_mapping(root: Path, files: Callable[..., None]) -> None:
    files("a.mkv", "Movies/m.mkv", "Movies/deep/d.mkv", "z.mkv")
    (root / "Movies link").symlink_to("Movies")

    drafts = found(root, root / "Movies")

    assert [draft.source_path for draft in drafts] == [
        "/data/a.mkv",
        "/data/z.mkv",
        "/data1/deep/d.mkv",
        "/data1/m.mkv",
    ]


def test_one_folder_under_two_mappings_is_walked_once(root: Path, files: Callable[..., None]) -> None:
    files("a.mkv")

    assert [draft.source_path for draft in found(root, root)] == ["/data/a.mkv"]


def test_sidecars_are_found_beside_the_file_and_up_to_the_root(root: Path, tmp_path: Path, files: Callable[..., None]) -> None:
    (tmp_path / "tvshow.nfo").touch()
    files("tvshow.nfo", "Show/TVShow.NFO", "Show/Season 1/S01E01.mkv", "Show/Season 1/s01e01.NFO", "Show/Season 1/x.nfo")

    (draft,) = found(root)

    assert draft.sidecars is not None
    assert [os.path.relpath(sidecar.path, root) for sidecar in draft.sidecars] == [
        "Show/Season 1/s01e01.NFO",
        "Show/TVShow.NFO",
        "tvshow.nfo",
    ]
    status = (root / "Show/Season 1/s01e01.NFO").stat()
    assert (draft.sidecars[0].size, draft.sidecars[0].mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_the_sidecar_of_a_season_is_found_in_its_own_folder_alone(root: Path, files: Callable[..., None]) -> None:
    files("season.nfo", "Show/Season.NFO", "Show/a.mkv", "Show/season.mkv", "Show/Extras/b.mkv")

    sidecars = {Path(draft.file_path).name: draft.sidecars for draft in found(root)}

    (season,) = sidecars["a.mkv"] or ()
    assert season.path == str(root / "Show/Season.NFO")
    assert sidecars == {"a.mkv": (season,), "season.mkv": (season,), "b.mkv": ()}


def test_what_is_filled_in_is_what_discovery_would_have(root: Path, files: Callable[..., None]) -> None:
    files("tvshow.nfo", "Show/Season 1/S01E01.mkv", "Show/Season 1/S01E01.nfo", "Show/tvshow.nfo", "Show/Season 1/season.nfo")
    (discovered,) = found(root)
    bare = attrs.evolve(discovered, size=None, mtime_ns=None, sidecars=None, title="Kept")

    (measured,) = on_disk([bare])

    assert measured == attrs.evolve(discovered, sidecars=None, title="Kept")
    assert with_sidecars(measured, str(root)) == attrs.evolve(discovered, title="Kept")


def test_what_is_known_is_kept(root: Path, files: Callable[..., None]) -> None:
    files("x.mkv", "x.nfo")
    known = AssetDraft(str(root / "x.mkv"), "/data/x.mkv", size=1, mtime_ns=2, sidecars=(Sidecar("/y.nfo", 3, 4),))

    assert on_disk([known]) == [known]
    assert with_sidecars(known, str(root)) == known
    assert with_sidecars(attrs.evolve(known, sidecars=()), str(root)).sidecars == ()


def test_gone_unreadable_and_irregular_files_are_told_apart(root: Path, files: Callable[..., None]) -> None:
    files("file.mkv")
    (root / "loop.mkv").symlink_to("loop.mkv")
    names = ("gone.mkv", "file.mkv/x.mkv", "loop.mkv", ".")
    gone, below_a_file, loop, folder = (AssetDraft(os.path.join(root, name), "/data/x.mkv") for name in names)

    assert on_disk([gone, below_a_file]) == [None, None]
    with pytest.raises(ResourceError, match=r"loop\.mkv' cannot be examined"):
        on_disk([gone, loop])
    with pytest.raises(ResourceError, match="is not a regular file"):
        on_disk([folder])


def test_a_disk_that_gives_no_answer_is_named_and_not_waited_for(
    root: Path, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(*(f"{number:02}.mkv" for number in range(40)))
    asleep, stat = threading.Event(), os.stat

    def hanging(path: str) -> os.stat_result:
        if path.endswith("30.mkv"):
            asleep.wait()
        return stat(path)

    drafts = [AssetDraft(str(root / f"{number:02}.mkv"), "/x.mkv") for number in range(40)]
    monkeypatch.setattr(os, "stat", hanging)
    try:
        with pytest.raises(ResourceError, match=r"30\.mkv' gives no answer"):
            on_disk(drafts, timeout_s=0.2)
    finally:
        asleep.set()


def test_a_server_that_timed_out_is_an_error_and_no_hang(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed_out(path: str) -> os.stat_result:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out", path)

    monkeypatch.setattr(os, "stat", timed_out)
    with pytest.raises(ResourceError, match=r"cannot be examined \(Connection timed out\)"):
        on_disk([AssetDraft(str(root / "x.mkv"), "/x.mkv")])


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"rooot": "/x", "zap": 1}, r"\['rooot', 'zap'\].*\['extensions', 'root'\]"),
        ({"root": "relative"}, "root 'relative' is not an absolute path"),
        ({"root": 3}, "root 3"),
        ({"extensions": "mkv"}, "extensions 'mkv' are not a list"),
        ({"extensions": []}, "not a list"),
        ({"extensions": [3]}, "extension 3"),
        ({"extensions": ["."]}, r"extension '\.'"),
        ({"extensions": ["tar.gz"]}, "extension 'tar.gz'"),
    ],
)
def test_wrong_configuration_is_refused(config: Json, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        FilesystemImporter(config)


def test_check_passes_without_a_root_and_with_one_that_can_be_read(root: Path) -> None:
    FilesystemImporter({}).check()
    FilesystemImporter({"root": str(root)}).check()


def test_check_tells_what_is_wrong_with_the_root(root: Path, files: Callable[..., None]) -> None:
    files("file")
    (root / "loop").symlink_to("loop")

    for name, complaint in {"gone": "missing", "file": "not a folder", "loop": "cannot be read"}.items():
        with pytest.raises(ResourceError, match=complaint):
            FilesystemImporter({"root": str(root / name)}).check()


def test_collections_are_the_visible_folders_of_the_root(root: Path, files: Callable[..., None]) -> None:
    files("TV/x.mkv", "Movies/y.mkv", ".hidden/z.mkv", "lost+found/l.mkv", "file.mkv")
    (root / "Linked").symlink_to("TV")

    assert list(FilesystemImporter({"root": f"{root}/"}).collections()) == [
        FoundCollection(name, path_mappings={str(root / name): str(root / name)}) for name in ("Linked", "Movies", "TV")
    ]


def test_collections_need_a_root_that_can_be_read(root: Path) -> None:
    with pytest.raises(ValidationError, match=r"'root'.*add_collection"):
        FilesystemImporter({}).collections()
    with pytest.raises(ResourceError, match="missing"):
        FilesystemImporter({"root": str(root / "gone")}).collections()


def test_a_collection_whose_name_is_not_utf8_is_refused(root: Path, files: Callable[..., None]) -> None:
    files(odd_name(b"T\xff/x.mkv"))

    with pytest.raises(ValidationError, match=r"T\\udcff"):
        FilesystemImporter({"root": str(root)}).collections()
