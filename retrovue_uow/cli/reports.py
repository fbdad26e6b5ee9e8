"""What ingests and other changes tell people: the counts, then what came in, then what needs a look."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

import attrs

from retrovue_uow.cli.command import Page
from retrovue_uow.cli.failures import exit_code_of_outcome
from retrovue_uow.cli.output import Long, changed, clock, grid, listed, shown_title, withdrawn
from retrovue_uow.cli.text import is_quiet, plain
from retrovue_uow.errors import amount, positional, some
from retrovue_uow.media import paths
from retrovue_uow.model import INTERSTITIAL_KINDS, Asset, PathMapping, folded, printed_title
from retrovue_uow.results import ForgetResult, IngestFailure, IngestResult, RelocateResult, SourceIngestResult, WipeResult

Part = Iterable[str]
"""The lines of a report that belong together."""
_COUNTS = (
    *("created", "unchanged", "changed", "outdated", "refreshed", "missing", "returned", "moved"),
    *("ambiguous", "replaced", "retitled", "approved", "duplicates", "twins"),
    *("unreachable", "unclassified", "broken", "warnings", "approvals_withdrawn"),
)
_NAMED = {
    "unclassified": "what these are could not be told from their names (kind other):",
    "changed": "changed since they were ingested, and left as they are (an ingest without --refresh none reads them again):",
    "missing": "no longer found, and kept in the catalogue as missing:",
    "moved": "moved here, with their approval and links:",
    "ambiguous": "perhaps moved or replaced, but several look or show the same, so that none was; what went is missing, "
    "what came is new:",
    "duplicates": "reported twice, and taken once:",
    "twins": "left out, since only the Unicode form of their names differs from another's (rename or exclude them):",
}
_SKIPPED = {
    "link": "since they are links that lead nowhere, or out of the mapped folder (mend or exclude them)",
    "no_path": "since no file can have such a path",
    "not_utf8": "since their names are not UTF-8 (rename or exclude them)",
    "plugin": "since they are streams of an add-on",
    "stack": "since each is several files in a row",
    "strm": "since they only name a stream",
    "too_young": "since they changed just now, and may still be written (--settle)",
    "unreadable": "since they cannot be read (mend or exclude them)",
    "vanished": "since they went while they were read",
}
_LEFT_OUT = {
    "excluded": "excluded",
    "hidden": "hidden or the system's own",
    "partial": "half downloaded",
    "unknown_extension": "of an unknown extension (a source can be given `extensions`)",
}
_APPROVAL = {
    "kept": ", approved as that was",
    "ask": ", which was approved",
    "not_ready": ", which was approved; not ready yet",
}
_STEPS = {
    "unmeasured": "of unknown length: install ffmpeg, and `ingest` their folder, or `enricher attach {1} ffprobe`",
    "unclassified": "unclassified: `asset assign --collection {0} --unclassified …`",
    "to_approve": "ready: `asset approve --collection {0} --state ready`",
    "withdrawn": "no longer approved: look at them, and `asset approve` them",
    "broken": "broken: replace or exclude them (`asset list --broken {1}`)",
    "missing": "missing: mount their disk, or `collection forget-missing {1}`",
    "excluded": "excluded: `collection exclude list {1}` says what is always left out",
}
_SHOWN = 50


def ingest_page(result: IngestResult, arrived: Sequence[Asset]) -> Page:
    """What an ingest did, and the assets that it brought in or refreshed."""
    return Page(result, partial(_ingested, result, arrived), _broken(result))


def _ingested(result: IngestResult, arrived: Sequence[Asset], verbose: bool) -> Iterator[str]:
    came_in = [*_shows(arrived), *_movies(arrived), *_interstitials(arrived)]
    noted = [*_named(result), *_left_out(result, verbose=verbose), *_warned(result, arrived)]
    yield from _spaced([_headline(result), _counts(result), *came_in, *noted, *_next(_waiting(result, arrived))])
    yield from changed(result, verbose=verbose)


def rebuild_page(wiped: WipeResult, result: IngestResult, arrived: Sequence[Asset]) -> Page:
    """What a rebuild wiped, and what it brought in."""

    def lines(verbose: bool) -> Iterator[str]:
        yield from (*wipe_report(wiped), *changed(wiped, verbose=verbose), "")
        yield from _ingested(result, arrived, verbose)

    return Page({"wiped": wiped, "ingested": result}, lines, _broken(result))


def source_page(outcome: SourceIngestResult, arrived: Mapping[str, Sequence[Asset]]) -> Page:
    """What became of each collection of a source, and the assets that it brought in or refreshed, by its identifier."""
    failures = [f"error: {plain(_failed(each), keep=chr(10))}" for each in outcome.failures]
    complaints = (*_broken(*outcome.results), *failures)
    return Page(outcome, partial(_source, outcome.results, arrived), complaints, exit_code_of_outcome(outcome))


def _source(results: Sequence[IngestResult], arrived: Mapping[str, Sequence[Asset]], verbose: bool) -> Iterator[str]:
    if results and results[0].dry_run:
        yield from ("dry run, nothing was kept", "")
    rows = [
        (Long(each.collection.name), each.discovered, each.created, each.unchanged, each.changed + each.refreshed, each.missing)
        for each in results
    ]
    headers = ("collection", "found", "created", "unchanged", "changed", "missing")
    parts: list[Part] = [grid(headers, rows) if rows else ["no collection could be ingested"]]
    steps: list[str] = []
    for each in results:
        came_in = arrived.get(each.collection.id, ())
        parts += [*_named(each), *_left_out(each, verbose=verbose), *_warned(each, came_in)]
        steps += _waiting(each, came_in, f"{each.collection.name}: ")
    yield from _spaced([*parts, *_next(steps)])
    for each in results:
        yield from changed(each, verbose=verbose, title=f"collection {each.collection.name!r}")


def _failed(failure: IngestFailure) -> str:
    """Why a collection could not be ingested."""
    reason = re.sub(r"^collection_ingest failed in \w+: ", "", failure.message)
    return f"collection {failure.collection.name!r}: {reason}"


def _broken(*results: IngestResult) -> Sequence[str]:
    """Broken files, each with what is wrong, for standard error."""
    found = (each for result in results for of in result.findings.values() for each in of)
    broken = [each.message for each in found if each.severity == "broken"]
    if not broken or is_quiet():
        return []
    heading = f"note: {amount(len(broken), 'broken file')}, kept as new and never scheduled:"
    return [plain(some([heading, *broken], 21, between="\n  "), keep="\n")]


def _waiting(result: IngestResult, arrived: Sequence[Asset], where: str = "") -> list[str]:
    counts = {
        "unclassified": result.unclassified,
        "to_approve": sum(each.state == "ready" and not each.approved and not each.missing_since for each in arrived),
        "withdrawn": result.approvals_withdrawn,
        "broken": result.broken,
        "excluded": result.left_out.get("excluded", 0),
    }
    return next_steps(result.collection.name, counts, where)


def _next(steps: list[str]) -> Iterator[Part]:
    if steps:
        yield ["next:", *steps]


def next_steps(name: str, counts: Mapping[str, int], where: str = "") -> list[str]:
    """What waits for the operator, each in a line, with the command for it."""
    counts = {**counts, "unmeasured": counts.get("new", 0) - counts["broken"]}
    waiting = [(counts[each], step) for each, step in _STEPS.items() if counts.get(each, 0) > 0]
    return [plain(f"  {where}{count} {step.format(shlex.quote(name), positional(name))}") for count, step in waiting]


def _spaced(parts: Iterable[Part]) -> Iterator[str]:
    for position, part in enumerate(parts):
        yield from ("",) * bool(position)
        yield from part


def _headline(result: IngestResult) -> Part:
    rehearsal = "dry run, nothing was kept: " if result.dry_run else ""
    where = "" if result.under is None else f", below {result.under}"
    return [plain(f"{rehearsal}collection {result.collection.name}{where}, {result.duration_s:.1f} s")]


def _counts(result: IngestResult) -> Part:
    counted = [(name.replace("_", " "), getattr(result, name)) for name in _COUNTS]
    return grid(("files", "count"), [("found", result.discovered), *((name, count) for name, count in counted if count)])


def _shows(arrived: Sequence[Asset]) -> Iterator[Part]:
    seasons: defaultdict[tuple[str, int, int], list[Asset]] = defaultdict(list)
    for asset in arrived:
        if asset.kind == "episode":
            seasons[asset.title or "", asset.year or 0, asset.season_number or 0].append(asset)
    rows = [
        (
            Long(printed_title(name, year)),
            "specials" if season == 0 else season,
            ranges({number for asset in assets for number in asset.episode_numbers}),
            len(assets),
        )
        for (name, year, season), assets in sorted(seasons.items())
    ]
    if rows:
        yield grid(("show", "season", "episodes", "files"), rows)


def ranges(numbers: set[int]) -> str:
    """Numbers as people write them: `1-3, 5`."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _movies(arrived: Sequence[Asset]) -> Iterator[Part]:
    movies = sorted((asset for asset in arrived if asset.kind == "movie"), key=lambda asset: folded(shown_title(asset)))
    rows = [(Long(shown_title(asset)), clock(asset.duration_ms)) for asset in movies[:_SHOWN]]
    if rows:
        yield grid(("movie", "length"), rows)
    if len(movies) > _SHOWN:
        yield [f"and {len(movies) - _SHOWN} more: see `asset list --kind movie`"]


def _interstitials(arrived: Sequence[Asset]) -> Iterator[Part]:
    kinds = Counter(asset.kind for asset in arrived)
    rows = [(kind.replace("_", " "), kinds[kind]) for kind in INTERSTITIAL_KINDS if kinds[kind]]
    if rows:
        yield grid(("interstitial", "files"), rows)


def _named(result: IngestResult) -> Iterator[Part]:
    for name, heading in _NAMED.items():
        if result.paths[name]:
            yield [heading, *listed(result.paths[name])]
    yield from _left_or_withdrawn(result)
    yield from _unreachable(result)


def _warned(result: IngestResult, arrived: Sequence[Asset]) -> Iterator[Part]:
    """Warnings, each once: what is said of several files stands above all of them."""
    paths_of = {asset.canonical_key: asset.file_path for asset in arrived}
    keys: dict[str, list[str]] = {}
    for key, found in result.findings.items():
        for each in found:
            if each.severity == "warning" and each.enricher != "twin":  # both files are named above
                text = each.message.replace(f"file {paths_of.get(key, key)!r}", "this file")
                keys.setdefault(text, []).extend([key] if text != each.message else [])
    if keys:
        lines = [part for text, of in [*keys.items()][:_SHOWN] for part in (plain(f"- {text}"), *listed(of))]
        more = [f"and {len(keys) - _SHOWN} more: --json names all"] if len(keys) > _SHOWN else []
        yield ["warnings, which keep nothing off the air:", *lines, *more]


def _left_out(result: IngestResult, *, verbose: bool) -> Iterator[Part]:
    for reason, skipped in result.skipped.items():
        if reason != "twin":
            yield [plain(f"skipped, {_SKIPPED.get(reason, reason)}:"), *listed(skipped)]
    if result.left_out and not verbose:
        counted = ", ".join(f"{count} {_LEFT_OUT.get(reason, reason)}" for reason, count in result.left_out.items())
        yield [plain(f"left out: {counted}; --verbose names them")]
    for reason, files in result.left_out_paths.items() if verbose else ():
        yield [plain(f"left out, {_LEFT_OUT.get(reason, reason)}:"), *map(plain, files)]


def _left_or_withdrawn(result: IngestResult) -> Iterator[Part]:
    """What waits for the operator: assets that only older enrichers saw, and approvals that hold no longer."""
    if result.outdated:
        command = f"collection ingest --refresh changed {positional(result.collection.name)}"
        yield [plain(f"{amount(result.outdated, 'file')} read by older enrichers only: `{command}` reads again")]
    yield from _replaced(result)
    if result.retitlings:
        yield _retitled(result)
    if result.withdrawals:
        yield withdrawn(result)


def _replaced(result: IngestResult) -> Iterator[Part]:
    """New files in the place of missing ones, and the command by which those that wait are approved."""
    if not result.replacements:
        return
    news = [f"{each.path}, in place of {each.old_path}{_APPROVAL.get(each.approval or '', '')}" for each in result.replacements]
    yield ["new, and shows exactly what a missing one showed:", *listed(news)]
    if asked := [each.path for each in result.replacements if each.approval == "ask"]:
        more = f", and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
        command = f"asset approve {shlex.join(asked[:_SHOWN])}"
        yield [plain(f"what these replace was approved, and they wait for it: `{command}`{more}")]
    if preferred := [each.path for each in result.replacements if each.preference == "ask"]:
        command = f"asset prefer {shlex.join(preferred[:_SHOWN])}"
        yield [plain(f"what these replace is preferred; once they are approved: `{command}`")]


def _retitled(result: IngestResult) -> Iterator[str]:
    """Files that say another title, a line for each title, with the commands that settle it."""
    alike = Counter(attrs.evolve(each, asset_id="", path="") for each in result.retitlings)
    everything = f"collection ingest --refresh all {positional(result.collection.name)}"
    for each, count in alike.items():
        old, new = printed_title(each.title, each.year), printed_title(each.new_title, each.new_year)
        named = [] if each.new_title == each.title else ["--name", each.new_title]
        dated = [] if each.new_year == each.year else ["--year", str(each.new_year or 0)]
        verb = ["merge", "--into", new] if each.is_taken else ["rename", *named, *dated]
        command = f"title {shlex.join(verb)} {positional(old)}"
        yield plain(
            f"retitled: {amount(count, 'moved file')} left under {old!r}, where the name now says {new!r}: "
            f"`{command}` makes both one, or `{everything}` takes the new one and withdraws their approvals"
        )


def _unreachable(result: IngestResult) -> Iterator[Part]:
    below: defaultdict[PathMapping | None, list[str]] = defaultdict(list)
    for key in result.paths["unreachable"]:
        below[paths.mapping_for(key, result.collection.mappings_by_source)].append(key)
    for mapping, keys in below.items():
        if mapping is not None:
            where = f"{mapping.source_path!r} to {mapping.local_path!r}"
            heading = f"named by the source, but not there: check the mapping {where} and its disk"
            yield [plain(heading), *listed(keys)]


def wipe_report(result: WipeResult) -> Part:
    """What a wipe deleted, or would."""
    verb = "would delete" if result.dry_run else "deleted"
    rows = [(name.replace("_", " "), count) for name, count in result.deleted.items() if count or name == "asset"]
    headline = f"wiping collection {result.collection.name!r} {verb} {amount(result.deleted['asset'], 'asset')}"
    return [plain(headline)] if result.dry_run else [plain(f"{headline}:"), *grid(("table", "rows"), rows)]


def forget_report(result: ForgetResult) -> Part:
    """Which missing assets were forgotten, or would be."""
    verb = "would be forgotten" if result.dry_run else "forgotten"
    name = plain(repr(result.collection.name))
    forgotten = f"{amount(result.forgotten, 'missing asset')} of collection {name} {verb}, {result.kept} kept"
    return [forgotten, *listed(result.paths)]


_RELOCATED = {
    "missing": "not there, and missing",
    "other_size": "there with another size: another file, or not copied to its end",
    "other_name": "there under a name of other case or Unicode form, which is not guessed; rename it, and ingest",
    "mtime_differs": "there with another mtime",
    "returned": "missing before, and there",
}


def relocate_report(result: RelocateResult) -> Part:
    """What became of the assets of a folder that lies elsewhere now, or would."""
    verb = "would relocate" if result.dry_run else "relocated"
    where = f"collection {result.collection.name!r} from {result.old_root!r} to {result.new_root!r}"
    parts: list[Part] = [[plain(f"{verb} {where}: {amount(result.found, 'file')} found, {result.missing} missing")]]
    for name, heading in _RELOCATED.items():
        if result.paths[name]:
            parts.append([f"{heading} ({len(result.paths[name])}):", *listed(result.paths[name])])
    return _spaced(parts)
