"""What ffprobe says of real media, and how what it cannot say is named."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness import ends
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow.errors import BrokenFileError, ResourceError, ValidationError
from retrovue_uow.media.probing import FfprobeEnricher, read_probe
from retrovue_uow.model import AssetDraft, Json, Marker

CHAPTERS = """;FFMETADATA1
title=The Pilot
[CHAPTER]
TIMEBASE=1/1000
START=0
END=400
title=Opening
[CHAPTER]
TIMEBASE=1/1000
START=400
END=1000
title=Act 1
"""


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of picture and sound with two chapters and, as a second video stream, a cover."""
    folder = tmp_path_factory.mktemp("probing")
    (folder / "chapters.txt").write_text(CHAPTERS)
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=1")
    ffmpeg(*picture, "-frames:v", "1", "-s", "32x32", folder / "cover.jpg")
    inputs = (
        *picture,
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
        "-i",
        folder / "chapters.txt",
        "-i",
        folder / "cover.jpg",
    )
    streams = ("-map", "3", "-map", "0", "-map", "1", "-map_metadata", "2", "-c:v:1", "mpeg4", "-c:v:0", "mjpeg")
    ffmpeg(*inputs, *streams, "-c:a", "aac", "-disposition:v:0", "attached_pic", folder / "video.mp4")
    return folder / "video.mp4"


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probing") / "sound.mka"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    return path


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """A program that stands in for ffprobe: a shell script with that body."""

    def make(body: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


@pytest.fixture
def media(tmp_path: Path) -> str:
    path = tmp_path / "media.mkv"
    path.write_bytes(b"not really")
    return str(path)


def report(**parts: object) -> str:
    return json.dumps({"format": {"duration": "2.5"}, **parts})


def enriched(path: object, config: Json | None = None, *, executable: str | None = None) -> AssetDraft:
    return FfprobeEnricher(config or {}, executable).enrich(AssetDraft(str(path), str(path)))


def test_a_video_is_measured(video: Path) -> None:
    draft = enriched(video)

    assert 900 <= (draft.duration_ms or 0) <= 1200
    assert (draft.container, draft.video_codec, draft.audio_codec) == ("mov", "mpeg4", "aac")
    assert (draft.width, draft.height) == (64, 48)
    probed = draft.metadata["probed"]
    assert probed["frame_rate"] == "5/1"
    assert isinstance(probed["tags"], dict)
    assert probed["tags"]["title"] == "The Pilot"
    json.dumps(probed)


def test_chapters_become_markers_within_the_duration(video: Path) -> None:
    draft = enriched(video)

    assert [(m.kind, m.start_ms, m.name) for m in draft.markers] == [
        ("chapter", 0, "Opening"),
        ("chapter", 400, "Act 1"),
    ]
    assert all(0 <= m.start_ms < (m.end_ms or 0) <= (draft.duration_ms or 0) for m in draft.markers)


def test_a_file_without_picture_has_no_size(sound: Path) -> None:
    draft = enriched(sound)

    assert (draft.video_codec, draft.width, draft.height) == (None, None, None)
    assert (draft.container, draft.audio_codec) == ("matroska", "vorbis")
    assert draft.duration_ms


def test_other_domains_are_left_alone(video: Path) -> None:
    avail = Marker("avail", 500)
    before = AssetDraft(
        str(video),
        "/data/x.mp4",
        size=7,
        kind="movie",
        title="T",
        markers=(Marker("chapter", 7), avail),
        metadata={"editorial": {"rating": 5}, "probed": {"old": True}},
    )

    after = FfprobeEnricher({}).enrich(before)

    assert (after.size, after.kind, after.title, after.source_path) == (7, "movie", "T", "/data/x.mp4")
    assert avail in after.markers
    assert Marker("chapter", 7) not in after.markers
    assert after.metadata["editorial"] == {"rating": 5}
    assert "old" not in after.metadata["probed"]


@pytest.mark.parametrize("name", ["-version", "a:b.mp4", "http:x.mp4", "100%41.mp4", "%03d.mp4", "sp ace\n'\".mp4", "é{}.mp4"])
def test_any_file_name_is_read_as_a_file(video: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(video.read_bytes())
    monkeypatch.chdir(tmp_path)

    assert enriched(tmp_path / name).width == 64
    assert enriched(name).width == 64


PAL = ("-s", "720x576", "-r", "25")
MPEG = ("-c:v", "mpeg2video", "-c:a", "mp2")
CONTAINERS: dict[str, Sequence[str]] = {
    "3gp": ("-c:v", "h263", "-s", "176x144", "-an"),
    "aac": (),
    "ac3": (),
    "aiff": (),
    "asf": (),
    "au": (),
    "avi": (),
    "caf": (),
    "dv": ("-target", "pal-dv"),
    "f4v": ("-c:v", "flv1", "-c:a", "aac", "-f", "flv"),
    "flac": (),
    "flv": (),
    "gxf": (*PAL, "-c:v", "mpeg2video", "-ar", "48000", "-ac", "1", "-c:a", "pcm_s16le"),
    "ivf": ("-c:v", "libvpx"),
    "m2ts": MPEG,
    "m4a": (),
    "m4v": ("-c:v", "mpeg4", "-f", "mp4"),
    "mka": (),
    "mkv": ("-c:v", "mpeg4"),
    "mov": ("-c:v", "mpeg4"),
    "mp3": (),
    "mp4": ("-c:v", "mpeg4"),
    "mpg": MPEG,
    "mxf": (*PAL, "-c:v", "mpeg2video", "-ar", "48000", "-c:a", "pcm_s16le"),
    "nut": ("-c:v", "mpeg4"),
    "oga": ("-c:a", "flac"),
    "ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "rm": ("-c:v", "rv20", "-s", "352x288", "-c:a", "ac3"),
    "tta": (),
    "ts": MPEG,
    "vob": (*MPEG, "-f", "vob"),
    "w64": (),
    "wav": (),
    "webm": ("-c:v", "libvpx", "-c:a", "libvorbis"),
    "wma": (),
    "wmv": (),
    "wtv": MPEG,
    "wv": (),
}


@pytest.mark.parametrize(("ending", "options"), CONTAINERS.items(), ids=CONTAINERS)
def test_media_in_any_usual_container_is_measured(tmp_path: Path, ending: str, options: Sequence[str]) -> None:
    path = tmp_path / f"media.{ending}"
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1")
    ffmpeg(*picture, "-f", "lavfi", "-i", "sine=duration=1:sample_rate=44100", *options, "-strict", "-2", path)

    assert 500 <= (enriched(path).duration_ms or 0) <= 2000


LEADING_ELSEWHERE = {
    "concat": "ffconcat version 1.0\nfile other.mp4\nduration 9999\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
    "hls_by_address": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n",
    "dash": """<?xml version="1.0"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"
            mediaPresentationDuration="PT9999S"><Period><AdaptationSet mimeType="video/mp4">
        <Representation id="1" bandwidth="1"><BaseURL>other.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>""",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 0\n",
}


@pytest.mark.parametrize("name", ["media.mkv", "media.mp4", "media.m3u8", "media.mpd", "media.ffconcat", "media.idx"])
@pytest.mark.parametrize("text", LEADING_ELSEWHERE.values(), ids=LEADING_ELSEWHERE)
def test_what_leads_to_other_files_is_no_media_file_and_opens_none(tmp_path: Path, name: str, text: str) -> None:
    for other in ("other.mp4", "media.sub"):
        os.mkfifo(tmp_path / other)  # whoever opens it hangs
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        (tmp_path / name).write_text(text.replace("{port}", str(server.getsockname()[1])))

        with pytest.raises(BrokenFileError, match="no media file"):
            enriched(tmp_path / name, {"timeout_s": 5})

        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_sequence_of_pictures_is_no_media_file_and_opens_none(video: Path, tmp_path: Path) -> None:
    pattern = tmp_path / "%03d.jpg"
    pattern.write_bytes(video.read_bytes())
    os.mkfifo(tmp_path / "001.jpg")

    with pytest.raises(BrokenFileError, match="no media file"):
        enriched(pattern, {"timeout_s": 5})


@pytest.mark.parametrize("name", ["picture.mkv", "picture.png"])
def test_a_picture_is_no_media_file(tmp_path: Path, name: str) -> None:
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x48:duration=1", "-frames:v", "1", "-f", "image2", "-c:v", "png", tmp_path / name
    )

    with pytest.raises(BrokenFileError, match=f"{name}' is no media file"):
        enriched(tmp_path / name)


def test_the_environment_names_another_program_and_the_caller_outranks_it(
    media: str, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETROVUE_FFPROBE", program(f"echo '{report()}'"))

    assert enriched(media).duration_ms == 2500
    with pytest.raises(ResourceError, match="/no/such cannot be started"):
        enriched(media, executable="/no/such")


def test_it_does_not_identify_and_says_its_time_limit() -> None:
    assert not FfprobeEnricher.identifies
    assert FfprobeEnricher({}).timeout_s == 60
    assert FfprobeEnricher({"timeout_s": 1.5}).timeout_s == 1.5


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"timeout": 3}, r"\['timeout'\].*\['timeout_s'\]"),
        ({"timeout_s": 0}, "timeout_s 0"),
        ({"timeout_s": -1}, "timeout_s -1"),
        ({"timeout_s": True}, "timeout_s True"),
        ({"timeout_s": float("nan")}, "timeout_s nan"),
        ({"timeout_s": float("inf")}, "timeout_s inf"),
        ({"timeout_s": "9"}, "timeout_s '9'"),
        ({"executable": "/opt/ffprobe"}, "names a program, '/opt/ffprobe'.*RETROVUE_FFPROBE or as Catalog\\(ffprobe=…\\)"),
    ],
)
def test_wrong_configuration_is_refused(config: Json, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        FfprobeEnricher(config)


def test_check_passes_where_ffprobe_is_there() -> None:
    FfprobeEnricher({}).check()


def test_check_names_a_missing_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ResourceError, match="ffprobe is not on PATH: install ffmpeg"):
        FfprobeEnricher({}).check()


def test_check_names_a_tool_that_does_not_run(program: Callable[[str], str]) -> None:
    with pytest.raises(ResourceError, match="no such library"):
        FfprobeEnricher({}, program("echo no such library >&2; exit 127")).check()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match=r"gone\.mkv") as caught:
        enriched(tmp_path / "gone.mkv")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_an_empty_file_is_named_without_starting_ffprobe(tmp_path: Path) -> None:
    (tmp_path / "empty.mkv").touch()

    with pytest.raises(BrokenFileError, match=r"empty.mkv' is empty"):
        enriched(tmp_path / "empty.mkv", executable=str(tmp_path / "no-such-program"))


def test_what_ffprobe_cannot_read_is_named_with_its_complaint(media: str) -> None:
    with pytest.raises(BrokenFileError, match=r"media\.mkv' \(Invalid data"):
        enriched(media)


def test_a_file_that_may_not_be_read_need_not_be_replaced(program: Callable[[str], str], media: str) -> None:
    refused = program(f"echo 'file:{media}: Permission denied' >&2; exit 1")

    with pytest.raises(BrokenFileError, match=r"\(Permission denied\): allow it, and touch the file"):
        enriched(media, executable=refused)


def test_a_tool_that_vanished_is_named(media: str) -> None:
    with pytest.raises(ResourceError, match=r"/no/such cannot be started \(No such file"):
        enriched(media, executable="/no/such")


def test_a_late_ffprobe_is_killed_with_its_children(media: str, tmp_path: Path, program: Callable[[str], str]) -> None:
    pid = tmp_path / "pid"
    slow = program(f"sleep 60 & echo $! > {pid}; wait")
    started = time.monotonic()

    with pytest.raises(BrokenFileError, match=r"media\.mkv' within 0.5 s"):
        enriched(media, {"timeout_s": 0.5}, executable=slow)

    assert time.monotonic() - started < 10
    assert ends(int(pid.read_text()))


def test_a_stopped_enricher_ends_what_runs_and_lets_nothing_else_live(
    media: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    pids = tmp_path / "pids"
    enricher = FfprobeEnricher({}, program(f"echo $$ >> {pids}; exec sleep 60"))
    failures: list[BaseException] = []

    def probe() -> None:
        try:
            enricher.enrich(AssetDraft(media, media))
        except (BrokenFileError, ResourceError) as error:
            failures.append(error)

    running = threading.Thread(target=probe)
    running.start()
    while not pids.exists() or not pids.read_text():
        time.sleep(0.01)
    enricher.stop()
    running.join(20)
    probe()

    assert len(failures) == 2
    assert all(ends(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize(
    "output", ["", "{", "[]", "null", '"text"', '{"format": {"duration": "2.5"}', "1" * 5000, "[" * 100_000]
)
def test_output_that_is_no_report_is_named(output: str) -> None:
    with pytest.raises(ResourceError, match=r"'/m/x.mkv'.*JSON"):
        read_probe(output, "/m/x.mkv")


@pytest.mark.parametrize(
    "duration",
    [None, "N/A", "", "nan", "inf", "-1", "0", "0.0001", -3, True, [], {}, "1e30", 10**30, 10**400, 2**53],
)
def test_a_duration_that_no_clock_shows_is_unusable(duration: object) -> None:
    with pytest.raises(BrokenFileError, match=r"no usable duration for '/m/x.mkv'"):
        read_probe(json.dumps({"format": {"duration": duration}}), "/m/x.mkv")


def test_a_report_with_bare_nan_has_no_usable_duration() -> None:
    with pytest.raises(BrokenFileError, match="no usable duration"):
        read_probe('{"format": {"duration": NaN}}', "/m/x.mkv")


def test_the_longest_stream_stands_in_for_the_files_duration() -> None:
    text = json.dumps({"format": {"duration": "N/A"}, "streams": [{"duration": "1.5"}, {"duration": "9.25"}, {}]})

    assert read_probe(text, "/m/x.mkv").duration_ms == 9250


def test_a_cover_is_no_video_stream() -> None:
    cover = {"codec_type": "video", "codec_name": "mjpeg", "width": 500, "disposition": {"attached_pic": 1}}
    picture = {"codec_type": "video", "codec_name": "h264", "width": 64, "disposition": {"attached_pic": 0}}

    assert read_probe(report(streams=[cover, picture]), "/m/x.mkv").width == 64
    assert read_probe(report(streams=[cover]), "/m/x.mkv").video_codec is None


def test_facts_that_make_no_sense_are_unknown() -> None:
    streams = [
        7,
        {"codec_type": "video", "codec_name": ["h264"], "width": -4, "height": 10**30, "disposition": 3},
        {"codec_type": "audio", "codec_name": "a\0ac\ud800"},
    ]
    text = json.dumps({"format": {"duration": 2.5, "format_name": 3, "tags": [1], "bit_rate": "N/A"}, "streams": streams})

    known = AssetDraft("/m/x.mkv", "/m/x.mkv", duration_ms=2500, audio_codec="a", metadata={"probed": {}})
    assert read_probe(text, "/m/x.mkv") == known


def test_chapters_that_make_no_sense_are_mended_or_dropped() -> None:
    chapters = [
        {"start_time": "1.0", "end_time": "9.0", "tags": {"title": "beyond the end"}},
        {"start_time": "0.5", "end_time": "0.5"},
        {"start_time": "0", "end_time": "N/A", "tags": {"title": " \0 "}},
        {"start_time": "1.0", "end_time": "1.2", "tags": {"title": "again"}},
        {"start_time": "2.5"},
        {"start_time": "-1"},
        {"start_time": None},
        {},
        3,
    ]

    assert read_probe(report(chapters=chapters), "/m/x.mkv").markers == (
        Marker("chapter", 0),
        Marker("chapter", 500),
        Marker("chapter", 1000, 2500, "beyond the end"),
    )


numbers = st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.sampled_from(["1.5", "N/A", "1e400", "0"]))
anything = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
objects = st.dictionaries(
    st.sampled_from(["duration", "start_time", "end_time", "tags", "format_name", "width", "height", "codec_type"])
    | st.sampled_from(["codec_name", "disposition", "bit_rate", "avg_frame_rate", "title"]),
    anything | st.sampled_from(["video", "audio"]),
)
reports = st.fixed_dictionaries({}, optional={"format": objects, "streams": st.lists(objects), "chapters": st.lists(objects)})


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(reports | anything)
def test_any_report_gives_a_sane_probe_or_a_resource_error(figures: Proof, content: object) -> None:
    figures.add({"drawn by Hypothesis": 1})
    try:
        probe = read_probe(json.dumps(content), "/m/x.mkv")
    except (BrokenFileError, ResourceError):
        return

    duration_ms = probe.duration_ms or 0
    assert 0 < duration_ms < 2**53
    assert all(size is None or 0 < size < 2**53 for size in (probe.width, probe.height))
    assert all(0 <= m.start_ms < (m.end_ms or duration_ms) <= duration_ms for m in probe.markers)
    assert len({m.start_ms for m in probe.markers}) == len(probe.markers)
    json.dumps(probe.metadata, allow_nan=False, ensure_ascii=False).encode()
