"""What the operator decides and corrects, as the command line has it: previewed, agreed to, done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli_consent import with_consent
from retrovue_uow.cli_output import facts, first_rows, listed, long, plain, shown_title
from retrovue_uow.model import Asset, CurationResult, Explanation, TitleResult, printed_title
from retrovue_uow.operations.select import Assets

Verb = Callable[..., CurationResult]


def curate(
    verb: Verb, assets: Assets, *, doing: str, expect_assets: int | None, dry_run: bool, force: bool
) -> CurationResult | None:
    """Do it once the user has typed `yes`; None if anything else was typed. Whoever knows the number is not asked."""
    if dry_run:
        return verb(assets, expect_assets=expect_assets, dry_run=True)
    is_sure = force or expect_assets is not None
    return with_consent(
        preview=None if is_sure else lambda: verb(assets, dry_run=True),
        question=lambda preview: f"{doing} changes {preview.changed} of the {preview.selected} selected assets",
        act=lambda preview: verb(assets, expect_assets=expect_assets if preview is None else preview.selected),
        details=lambda preview: Group(*_assigned(preview.assets)),
    )


def curation_report(done: str) -> Callable[[CurationResult], Group]:
    """The report of a verb, which `done` names."""

    def report(result: CurationResult) -> Group:
        would = "would be " if result.dry_run else ""
        told = f"{result.changed} of {result.selected} assets {would}{done}, {result.unchanged} were so already"
        lost = f", {result.approvals_withdrawn} had been approved" if result.withdrawals else ""
        return Group(Text(told + lost), *(_assigned(result.assets) if result.assets else listed(result.paths)))

    return report


def _assigned(assets: Sequence[Asset]) -> Iterator[RenderableType]:
    """Files by the names that were read, and what each becomes."""
    names = [each.canonical_key.rpartition("/")[2] for each in assets]
    becomes = [(each.kind, long(shown_title(each)), long(each.episode_title or "")) for each in assets]
    return first_rows(
        ("file", "becomes", "title", "episode title"), [(long(name), *row) for name, row in zip(names, becomes, strict=True)]
    )


def title_report(result: TitleResult) -> Text:
    """What a title is called now, and what was merged into it."""
    title = result.title
    called = printed_title(title.name, title.year)
    would = "would be" if result.dry_run else "is"
    if result.merged is None:
        return Text(plain(f"the {title.kind} {would} called {called}"))
    counted = f"{title.seasons} seasons, {title.episodes} episodes, {title.assets} files"
    return Text(plain(f"{title.kind} {result.merged.name} {would} merged into {called}: {counted}"))


def explanation_report(explanation: Explanation) -> RenderableType:
    """Why an asset is what it is, or a file none, sentence by sentence."""
    asset = explanation.asset
    if asset is None:
        return facts({"an asset": "no", "because": plain("\n".join(explanation.reasons), keep="\n")})
    reasons = explanation.reasons or ("it is ready, approved and there",)
    return facts(
        {
            "file": plain(asset.file_path),
            "id": asset.id,
            "kind": asset.kind,
            "title": shown_title(asset),
            "state": asset.state,
            "may be scheduled": "yes" if explanation.is_schedulable else "no",
            "because": plain("\n".join(reasons), keep="\n"),
            "versions": plain("\n".join(explanation.versions), keep="\n"),
            "findings": plain("\n".join(f"{each.severity}: {each.message}" for each in explanation.findings), keep="\n"),
            "history": plain("\n".join(explanation.history), keep="\n"),
        }
    )


def merged(catalog: Catalog, title: str, *, into: str, dry_run: bool, force: bool) -> TitleResult | None:
    """Merge a title into another once the user has typed `yes`; None if anything else was typed."""
    if dry_run:
        return catalog.merge_titles(title, into=into, dry_run=True)
    return with_consent(
        preview=None if force else lambda: catalog.merge_titles(title, into=into, dry_run=True),
        question=lambda preview: f"merging {title!r} into {preview.title.name!r} joins their seasons and episodes",
        act=lambda _: catalog.merge_titles(title, into=into),
    )
