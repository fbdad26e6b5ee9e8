"""What operations return: frozen values like those of `model`, loaded with the first one that is made.

Every one of them is a public name of the package, and the library makes it by that: who only reads waits for none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from retrovue_uow.errors import Violation
from retrovue_uow.model import LISTS, Asset, Collection, Finding, Outcome, Result, Source, Title, TitleKind


@attrs.frozen
class Withdrawal:
    """An approval that an operation withdrew: of which asset, where its file is (the canonical key), and why, in words."""

    asset_id: str
    path: str
    reason: str


@attrs.frozen(kw_only=True)
class WithdrawingResult(Result):
    """What is told by every operation that may withdraw approvals.

    Attributes:
        withdrawals: The approvals that it withdrew, each with its reason.
        approvals_withdrawn: How many these are.
    """

    withdrawals: tuple[Withdrawal, ...] = attrs.field(default=(), metadata={LISTS: True})
    approvals_withdrawn: int = attrs.Factory(lambda self: len(self.withdrawals), takes_self=True)


@attrs.frozen
class Replacement:
    """A new file that shows exactly what a missing one showed: the assets of both, and where they lie (the canonical keys).

    Attributes:
        approval: What became of the missing one's approval: `"kept"`: the new one is approved, too; `"ask"`: it waits for
            `approve`; `"not_ready"`: it cannot be approved yet; None: the missing one is not approved.
        preference: Likewise: `"kept"`; `"ask"`: it waits for `prefer`; None: the missing one is not preferred, or not alone.
    """

    asset_id: str
    path: str
    old_asset_id: str
    old_path: str
    approval: Literal["kept", "ask", "not_ready"] | None
    preference: Literal["kept", "ask"] | None = None


@attrs.frozen
class Retitling:
    """An asset whose file moved, and says another title now; the asset is left under its own.

    Attributes:
        path: Where its file is now (the canonical key).
        is_taken: Whether there is a title called `new_title` already: `merge_titles` lets the two be one, and otherwise
            `rename_title`.
    """

    asset_id: str
    path: str
    kind: TitleKind
    title: str
    year: int | None
    new_title: str
    new_year: int | None
    is_taken: bool = False


@attrs.frozen(kw_only=True)
class IngestResult(WithdrawingResult):
    """What an ingest did.

    `discovered` = `created` + `unchanged` + `changed` + `outdated` + `refreshed` + `moved` + `duplicates` + `twins` +
    `unreachable`.

    Attributes:
        changed: Assets whose file, path or sidecars differ from what the catalogue recorded; left as they are.
        outdated: Assets that only older enrichers, or older configurations of them, saw; left as they are.
        refreshed: Assets enriched again, since their file changed or the caller asked for it.
        missing: Assets that this ingest marked missing; those that already were are not counted again.
        returned: Assets that were missing and came back (also counted by what was found of them).
        moved: Assets whose file lies elsewhere now; identity, approval and links are as they were.
        duplicates: Drafts whose path had been reported already.
        unclassified: New or refreshed assets of kind `other`.
        ambiguous: Missing assets and new files that may be moves, but more than one of them looks the same, and the assets that
            stayed and look the same; likewise of replacements: those of which more than one shows the same.
        replaced: New assets that show exactly what a missing one showed (also counted as created).
        retitled: Moved assets whose files say another title now, and nothing else that is new; they are left under their own.
        approved: Assets that came back, and are approved again: theirs is the file that the operator approved.
        twins: Files left out because their names differ from another's in Unicode form alone.
        unreachable: Files that the source has and the disk has not; known ones are missing. Check their path mapping.
        broken: New or refreshed assets whose file is broken; `findings` says how.
        warnings: New or refreshed assets of which there is something to know, likewise, and those that have a twin.
        findings: What was found out about files that were read, and of twins, by canonical key.
        skipped: Paths of what became no asset or is no NFO file, by reason: `link`, `not_utf8`, `too_young`, `twin`,
            `unreadable`, `vanished`; of a media server also `strm`, `no_path` and schemes of no files (`stack`, `plugin`, …).
        left_out: How many files and folders were passed over, by reason: `excluded`, `hidden` (or the system's own), `partial`
            (an unfinished download), `unknown_extension`. What usually stands beside media files, such as pictures, subtitles
            and NFO files, is not counted, nor what lies in a folder that was passed over.
        paths: The canonical keys behind each count except `discovered`, `unchanged` and `approvals_withdrawn`; of twins, a text
            that names both files.
        left_out_paths: The paths behind `left_out`.
        replacements: Of the replaced ones, what they replace, and what became of the approval.
        retitlings: Of the retitled ones, both titles.
        created_entities: Rows added per table above the assets (`title`, `season`, `episode`).
        under: The folder that was looked at, as its path mapping has it; None: all of the collection.
    """

    collection: Collection
    under: str | None = None
    discovered: int = 0
    created: int = 0
    unchanged: int = 0
    changed: int = 0
    outdated: int = 0
    refreshed: int = 0
    missing: int = 0
    returned: int = 0
    moved: int = 0
    duplicates: int = 0
    unclassified: int = 0
    ambiguous: int = 0
    replaced: int = 0
    retitled: int = 0
    approved: int = 0
    twins: int = 0
    unreachable: int = 0
    broken: int = 0
    warnings: int = 0
    findings: Mapping[str, tuple[Finding, ...]] = attrs.field(factory=dict)
    skipped: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    left_out: Mapping[str, int] = attrs.field(factory=dict)
    paths: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, metadata={LISTS: True})
    left_out_paths: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, metadata={LISTS: True}, repr=False)
    replacements: tuple[Replacement, ...] = attrs.field(default=(), metadata={LISTS: True})
    retitlings: tuple[Retitling, ...] = attrs.field(default=(), metadata={LISTS: True})
    created_entities: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class AssetProcessingResult(WithdrawingResult):
    """What became of one draft. `created_entities`: rows added per table above the asset."""

    asset: Asset
    outcome: Outcome
    created_entities: Mapping[str, int] = attrs.field(factory=dict)
    findings: tuple[Finding, ...] = ()


@attrs.frozen(kw_only=True)
class WipeResult(Result):
    """What a wipe deleted: rows per table."""

    collection: Collection
    deleted: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class RelocateResult(Result):
    """What became of the assets of a path mapping that leads elsewhere now.

    Attributes:
        collection: As it is now.
        old_root: The local folder that was mapped.
        new_root: The local folder that is mapped now.
        found: Assets whose file is there, with the size that is known of it.
        missing: Assets that were not missing, and whose file is not there: they are missing now.
        returned: Assets that were missing, and whose file is there as it was (also counted as found).
        mtime_differs: Found assets whose file has another mtime than is known of it; they count as changed.
        other_size: Assets whose file is there with another size (also counted as missing, unless they were so before).
        other_name: Assets whose file may be there under a name that differs in case or Unicode form alone (likewise).
        paths: The canonical keys behind each count except `found`; of other names, a text that names both files.
    """

    collection: Collection
    old_root: str
    new_root: str
    found: int = 0
    missing: int = 0
    returned: int = 0
    mtime_differs: int = 0
    other_size: int = 0
    other_name: int = 0
    paths: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, metadata={LISTS: True})


@attrs.frozen(kw_only=True)
class ForgetResult(Result):
    """What was forgotten of a collection.

    Attributes:
        forgotten: Assets that were missing, and are gone from the catalogue.
        kept: Assets that are missing, but not for long enough.
        deleted: Rows per table.
        paths: The canonical keys of the forgotten assets.
    """

    collection: Collection
    forgotten: int = 0
    kept: int = 0
    deleted: Mapping[str, int] = attrs.field(factory=dict)
    paths: tuple[str, ...] = attrs.field(default=(), metadata={LISTS: True})


@attrs.frozen(kw_only=True)
class CurationResult(WithdrawingResult):
    """What became of selected assets: how many were selected, changed, or so already, and the paths of the changed ones.

    Attributes:
        assets: Of `assign_by_name`: the selected ones as they are now, or in a dry run would be.
    """

    selected: int
    changed: int
    unchanged: int
    paths: tuple[str, ...] = attrs.field(default=(), metadata={LISTS: True})
    assets: tuple[Asset, ...] = attrs.field(default=(), metadata={LISTS: True})


@attrs.frozen(kw_only=True)
class TitleResult(Result):
    """A title as it is now, and the one that was merged into it, as it was."""

    title: Title
    merged: Title | None = None


@attrs.frozen
class Explanation:
    """Why an asset is what it is, or why a file is none, in sentences.

    Attributes:
        asset: None where a file was asked about that is no asset.
        is_schedulable: Whether it may go on the air.
        reasons: What keeps it off the air, empty where nothing does; or what keeps the file from being an asset.
        history: What happened to it, the oldest first.
        findings: What was found out about its file when it was read last.
        version_rank: As in the view `schedulable_asset`; 1: it airs, of all that show the same. None: it may not be scheduled.
        versions: Where several files that may be scheduled show the same: which one airs and why, and why not each other one.
    """

    asset: Asset | None
    is_schedulable: bool
    reasons: tuple[str, ...]
    history: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    version_rank: int | None = None
    versions: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class UndoResult(WithdrawingResult):
    """Which unit was undone, and the names of the operations that it held.

    Attributes:
        settled: What came back and was changed at once, because the operator has decided otherwise since, in sentences.
    """

    undone_unit_id: str
    operations: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()


@attrs.frozen
class IngestFailure:
    """A collection whose ingest failed: the message of the error, and the class of its cause."""

    collection: Collection
    message: str
    cause: str


@attrs.frozen
class SourceIngestResult:
    """What became of each enabled collection of a source; each was a unit of its own."""

    source: Source
    results: tuple[IngestResult, ...] = ()
    failures: tuple[IngestFailure, ...] = ()


@attrs.frozen
class InstalledExtension:
    """An extension of a catalogue.

    Attributes:
        version: How many of its migrations the file has had.
        known_version: How many the code at hand has; None: its code is not at hand, and the file's own rules judge.
        tables: Names of its tables.
        rules: Names of its rules.
    """

    name: str
    version: int
    known_version: int | None
    tables: tuple[str, ...]
    rules: tuple[str, ...]


@attrs.frozen
class CheckReport:
    """What `check` found: nothing, where all is well.

    Attributes:
        mentions: What is sound and may surprise: rows that cannot be told apart by their names.
    """

    violations: tuple[Violation, ...] = ()
    mentions: tuple[Violation, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether SQLite and every rule are content."""
        return not self.violations


@attrs.frozen
class CollectionStatus:
    """How a collection stands, as numbers of its assets.

    Attributes:
        unclassified: Nothing could tell what they are (kind `other`), and they are not retired.
        to_approve: Ready and there, and not approved.
        broken: Their files have a finding that says so.
        ingested_at: When it was last ingested, as UTC text; None if never.
    """

    id: str
    name: str
    source: str
    enabled: bool
    assets: int
    new: int
    ready: int
    retired: int
    approved: int
    missing: int
    unclassified: int
    to_approve: int
    broken: int
    ingested_at: str | None


@attrs.frozen
class CatalogStatus:
    """How a catalogue stands.

    Attributes:
        violations: Rows that a rule rejects; `check` names them.
        undo_units: Units of work that can be undone.
        undo_bytes: What is kept so that they can be.
    """

    collections: tuple[CollectionStatus, ...]
    violations: int
    undo_units: int
    undo_bytes: int
