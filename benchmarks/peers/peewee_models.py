"""The ingest in peewee."""

from __future__ import annotations

import json

import peewee

from benchmarks.floor import Work
from benchmarks.measuring import Taken, now, since
from benchmarks.peers import asset_values, new_id, utc_now
from retrovue_uow import AssetDraft

database = peewee.SqliteDatabase(None, pragmas={"foreign_keys": 1, "synchronous": "full"})


class Base(peewee.Model):
    """Of all the models."""

    class Meta:
        database = database


class Title(Base):
    id = peewee.CharField(primary_key=True, default=new_id)
    kind = peewee.TextField()
    name = peewee.TextField()
    year = peewee.IntegerField(null=True)
    created_at = peewee.TextField(default=utc_now)


class Season(Base):
    title = peewee.ForeignKeyField(Title)
    number = peewee.IntegerField()


class Episode(Base):
    season = peewee.ForeignKeyField(Season)
    number = peewee.IntegerField()
    name = peewee.TextField(null=True)


class Asset(Base):
    id = peewee.CharField(primary_key=True, default=new_id)
    collection_id = peewee.TextField()
    path_mapping_id = peewee.IntegerField()
    canonical_key = peewee.TextField()
    file_path = peewee.TextField()
    kind = peewee.TextField()
    state = peewee.TextField()
    approved = peewee.IntegerField()
    size = peewee.BigIntegerField(null=True)
    mtime_ns = peewee.BigIntegerField(null=True)
    sidecars = peewee.TextField()
    enrichers = peewee.TextField()
    duration_ms = peewee.BigIntegerField(null=True)
    container = peewee.TextField(null=True)
    video_codec = peewee.TextField(null=True)
    audio_codec = peewee.TextField(null=True)
    width = peewee.IntegerField(null=True)
    height = peewee.IntegerField(null=True)
    missing_since = peewee.TextField(null=True)
    created_at = peewee.TextField(default=utc_now)
    updated_at = peewee.TextField(default=utc_now)


class EpisodeAsset(Base):
    episode = peewee.ForeignKeyField(Episode)
    asset = peewee.ForeignKeyField(Asset)

    class Meta:
        table_name = "episode_asset"


class AssetMetadata(Base):
    asset = peewee.ForeignKeyField(Asset)
    domain = peewee.TextField()
    document = peewee.TextField()

    class Meta:
        table_name = "asset_metadata"


def ingest(path: str, work: Work) -> Taken:
    """What the writing took."""
    database.init(path)
    database.connect()
    started = now()
    with database.atomic("IMMEDIATE"):
        for draft in work.drafts:
            with database.atomic():
                _write(work, draft)
    taken = since(started)
    database.close()
    return taken


def _write(work: Work, draft: AssetDraft) -> None:
    title, _ = Title.get_or_create(kind="show", name=draft.title, year=draft.year)
    season, _ = Season.get_or_create(title=title, number=draft.season_number)
    asset = Asset.create(**asset_values(work, draft))
    for number in draft.episode_numbers:
        episode, _ = Episode.get_or_create(season=season, number=number, defaults={"name": draft.episode_title})
        EpisodeAsset.create(episode=episode, asset=asset)
    for domain, document in draft.metadata.items():
        AssetMetadata.create(asset=asset, domain=domain, document=json.dumps(document))
