"""Probing a file with ffprobe: duration, container, codecs, picture size, chapters."""

from __future__ import annotations

import errno
import json
import math
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import IO

from retrovue_uow.errors import BrokenFileError, ResourceError, RetroVueError, ValidationError
from retrovue_uow.media.paths import reason
from retrovue_uow.media.plugins import refuse_unknown_keys
from retrovue_uow.media.probe_results import laid_over
from retrovue_uow.model import AssetDraft, Json, Marker

MAX_INTEGER = 2**53
"""Above it JSON's numbers are not exact."""

MAX_OUTPUT = 64 * 2**20
"""Bytes that ffprobe may print; a file that makes it print more has no place in memory."""
MAX_TEXT = 1000
"""Characters of a text that are kept, as many as the schema takes."""
MAX_TAGS = 200

MEDIA_FORMATS = (
    *("asf", "avi", "dv", "flv", "gxf", "ivf", "matroska", "mov", "mpeg", "mpegts", "mxf", "nsv", "nut", "nuv", "ogg", "pva"),
    *("rm", "ty", "vivo", "wtv", "yuv4mpegpipe"),
    *("av1", "cavsvideo", "dirac", "dnxhd", "h261", "h263", "h264", "hevc", "m4v", "mjpeg", "mpegvideo", "obu", "vc1", "vvc"),
    *("aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dsf", "dts", "dtshd", "eac3", "flac", "loas", "mlp", "mp3", "mpc"),
    *("mpc8", "oma", "tak", "truehd", "tta", "w64", "wav", "wv"),
)
"""The demuxers, of those that `ffprobe -demuxers` lists, whose files count as media: containers and bare streams of moving
pictures or sound that recorders, cameras, studios and shops make, each whole in one file. Not among them are those that read
other files (playlists, manifests, image sequences, `mlv`, `vobsub`), devices, pictures, subtitles, and the formats of games,
some of which take nearly any bytes for theirs. Names that an ffprobe does not know do no harm."""

CHECK_TIMEOUT_S = 10.0
PROGRAM_VARIABLE = "RETROVUE_FFPROBE"
_COMPLAINT = 500
_TIED = ("setpriv", "--pdeathsig", "KILL")
"""In front of a command: the kernel kills it with the thread that started it, even where that is killed itself. Linux alone has
this, and not every `setpriv`. A `preexec_fn` is no way to it: that runs Python's at-fork hooks, among threads."""


class FfprobeEnricher:
    """Measures a file with ffprobe, in a process of its own: a file that crashes it does no harm here.

    Configuration, optional: `timeout_s`, seconds per file (60). The program is not part of it, since whoever can write a
    catalogue should not choose what is run: it is `executable`, as `Catalog(ffprobe=…)` hands it on, else what the environment
    variable RETROVUE_FFPROBE names, else `ffprobe` on PATH.
    """

    version = "2"
    identifies = False
    cached_by = "file"

    def __init__(self, config: Json, executable: str | None = None) -> None:
        if "executable" in config:
            raise ValidationError(
                f"the ffprobe enricher's configuration names a program, {config['executable']!r}, and a catalogue may choose "
                "none: detach the enricher, attach it without, and name the program in the environment variable "
                f"{PROGRAM_VARIABLE} or as Catalog(ffprobe=…)"
            )
        refuse_unknown_keys(config, ("timeout_s",), "the ffprobe enricher")
        timeout_s = config.get("timeout_s", 60)
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < math.inf:
            raise ValidationError(f"the ffprobe enricher's timeout_s {timeout_s!r} is not a number of seconds above 0")
        self.timeout_s = float(timeout_s)
        self._executable = executable or program()
        self._tied: Sequence[str] = ()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False

    def check(self) -> None:
        """Raise `ResourceError` unless ffprobe is there and runs."""
        if shutil.which(self._executable) is None:
            raise ResourceError(f"{self._executable} is not on PATH: install ffmpeg or detach the ffprobe enricher")
        for self._tied in (_TIED, ()):
            try:
                self._output(["-version"], path=None, timeout_s=CHECK_TIMEOUT_S)
            except ResourceError:
                if not self._tied:
                    raise
            else:
                return

    def stop(self) -> None:
        """End the probes that are under way, and let no other one live."""
        self._is_stopped = True
        for process in tuple(self._running):
            _kill(process)

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """The draft with what was measured.

        Raises:
            BrokenFileError: the file is gone or empty, ffprobe cannot read it or is late, or it has no duration.
            ResourceError: ffprobe cannot be started.
        """
        _require_content(draft.file_path)
        # With `file:` no name is taken for an option or a protocol. No format but media is read, and no protocol but files:
        # https://ffmpeg.org/ffmpeg-formats.html, *format_whitelist*, and https://ffmpeg.org/ffmpeg-protocols.html.
        allowed = ["-format_whitelist", ",".join(MEDIA_FORMATS), "-protocol_whitelist", "file"]
        wanted = ["-print_format", "json", "-show_format", "-show_streams", "-show_chapters"]
        arguments = ["-v", "error", *allowed, *wanted, "-i", f"file:{draft.file_path}"]
        text = self._output(arguments, path=draft.file_path, timeout_s=self.timeout_s)
        return laid_over(draft, read_probe(text, draft.file_path))

    def _output(self, arguments: Sequence[str], *, path: str | None, timeout_s: float) -> str:
        """What ffprobe says of a file, or of itself; it and its children are killed if it is late, or stopped."""
        subject = "its version" if path is None else repr(path)
        try:
            process = subprocess.Popen(  # noqa: S603  a list of arguments, no shell
                [*self._tied, self._executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ResourceError(f"{self._executable} cannot be started ({reason(error)}): reinstall ffmpeg") from error
        with process:
            try:
                self._running.add(process)
                if self._is_stopped:  # asked only now: either `stop` finds the process, or this finds that it was called
                    _kill(process)
                output, complaints = _communicated(process, timeout_s)
            except TimeoutError as error:
                text = f"{self._executable} gave no answer on {subject} within {timeout_s:g} s: exclude it or raise timeout_s"
                raise _refusal(text, path) from error
            finally:
                _kill(process)
                self._running.discard(process)
        if len(output) + len(complaints) > MAX_OUTPUT:
            raise _refusal(f"{self._executable} prints more than {MAX_OUTPUT} bytes on {subject}: exclude it", path)
        if process.returncode != 0:
            if b"not on whitelist" in complaints:
                raise _refusal(f"{subject} is no media file but a playlist, a picture or the like: exclude it", path)
            lines = complaints[-2 * _COMPLAINT :].decode(errors="replace").strip().splitlines()
            complaint = lines[-1].removeprefix(f"file:{path}: ")[-_COMPLAINT:] if lines else f"exit code {process.returncode}"
            remedy = "allow it, and touch the file" if complaint == os.strerror(errno.EACCES) else "replace or exclude it"
            raise _refusal(f"{self._executable} cannot read {subject} ({complaint}): {remedy}", path)
        return output.decode(errors="replace")


def _refusal(text: str, path: str | None) -> RetroVueError:
    """The file's fault, if there is one."""
    return ResourceError(text) if path is None else BrokenFileError(text, path=path)


def program() -> str:
    """The ffprobe to run where the caller names none."""
    return os.environ.get(PROGRAM_VARIABLE) or "ffprobe"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its children, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # its own thread has just seen it end
            os.killpg(process.pid, signal.SIGKILL)


def read_probe(text: str, path: str) -> AssetDraft:
    """The file at `path` with the facts in ffprobe's JSON. Facts that make no sense count as unknown.

    The markers are its chapters, in order of their starts, each within the duration; further facts are in the metadata.

    Raises:
        BrokenFileError: it has no usable duration.
        ResourceError: it is not such JSON.
    """
    report = _report(text, path)
    container = _object(report.get("format"))
    streams = _objects(report.get("streams"))
    pictures = [each for each in streams if not _object(each.get("disposition")).get("attached_pic")]  # no covers
    video = next((each for each in pictures if each.get("codec_type") == "video"), {})
    audio = next((each for each in streams if each.get("codec_type") == "audio"), {})
    longest_ms = max(filter(None, [_milliseconds(each.get("duration")) for each in streams]), default=None)
    duration_ms = _milliseconds(container.get("duration")) or longest_ms
    if duration_ms is None:
        raise BrokenFileError(f"ffprobe reports no usable duration for {path!r}: remux the file or exclude it", path=path)
    return AssetDraft(
        path,
        path,
        duration_ms=duration_ms,
        container=_text(container.get("format_name"), until=","),
        video_codec=_text(video.get("codec_name")),
        audio_codec=_text(audio.get("codec_name")),
        width=_count(video.get("width")),
        height=_count(video.get("height")),
        markers=_chapters(_objects(report.get("chapters")), duration_ms),
        metadata={"probed": _facts(container, video)},
    )


def _require_content(path: str) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise BrokenFileError(f"file {path!r} cannot be probed ({reason(error)}): is its disk mounted?", path=path) from error
    if size == 0:
        raise BrokenFileError(f"file {path!r} is empty: replace it or exclude it", path=path)


def _communicated(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes]:
    """Its output and its complaints, little more than `MAX_OUTPUT` of them: `Popen.communicate` would take all that it prints.

    Raises:
        TimeoutError: It has not ended in time.
    """
    deadline = time.monotonic() + timeout_s
    output, complaints = bytearray(), bytearray()
    try:
        for pipe, content in _pieces(process, deadline):
            (output if pipe is process.stdout else complaints).extend(content)
            if len(output) + len(complaints) > MAX_OUTPUT:
                return bytes(output), bytes(complaints)
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return bytes(output), bytes(complaints)


def _pieces(process: subprocess.Popen[bytes], deadline: float) -> Iterator[tuple[IO[bytes], bytes]]:
    """The contents of its pipes, piece by piece, until both are closed; raises `TimeoutError` after the deadline."""
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ, pipe)
        while selector.get_map():
            ready = selector.select(max(deadline - time.monotonic(), 0))
            if not ready or time.monotonic() > deadline:
                raise TimeoutError
            for key, _ in ready:
                content = os.read(key.fd, 2**16)
                if content:
                    yield key.data, content
                else:
                    selector.unregister(key.fileobj)


def _report(text: str, path: str) -> Json:
    try:
        report: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResourceError(f"ffprobe's report on {path!r} is not JSON ({error}): probe the file by hand") from error
    if not isinstance(report, Mapping):
        raise ResourceError(f"ffprobe's report on {path!r} is no JSON object: probe the file by hand")
    return report


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    """A number as ffprobe writes it, bare or quoted; None for what no file can measure."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < MAX_INTEGER else None


def _milliseconds(value: object) -> int | None:
    seconds = _number(value)
    if seconds is None or seconds * 1000 >= MAX_INTEGER:
        return None
    return round(seconds * 1000)


def _count(value: object) -> int | None:
    return int(_number(value) or 0) or None


def _text(value: object, *, until: str = "\0") -> str | None:
    """Text that a database takes, up to `until`: no NUL, no lone surrogates, not empty, and no more than MAX_TEXT of it."""
    if not isinstance(value, str):
        return None
    return value.partition(until)[0].replace("\0", "").encode(errors="replace").decode().strip()[:MAX_TEXT].rstrip() or None


def _chapters(chapters: Iterable[Json], duration_ms: int) -> tuple[Marker, ...]:
    markers: dict[int, Marker] = {}
    for chapter in chapters:
        start_ms = _milliseconds(chapter.get("start_time"))
        if start_ms is None or start_ms >= duration_ms:
            continue
        end_ms = min(_milliseconds(chapter.get("end_time")) or 0, duration_ms)
        name = _text(_object(chapter.get("tags")).get("title"))
        markers.setdefault(start_ms, Marker("chapter", start_ms, end_ms if end_ms > start_ms else None, name))
    return tuple(markers[start_ms] for start_ms in sorted(markers))


def _facts(container: Json, video: Json) -> Json:
    tags = {_text(key): _text(value) for key, value in islice(_object(container.get("tags")).items(), MAX_TAGS)}
    facts = {
        "format_name": _text(container.get("format_name")),
        "bit_rate": _count(container.get("bit_rate")),
        "frame_rate": _text(video.get("avg_frame_rate")),
        "display_aspect_ratio": _text(video.get("display_aspect_ratio")),
        "tags": {key: value for key, value in tags.items() if key and value},
    }
    return {key: fact for key, fact in facts.items() if fact}
