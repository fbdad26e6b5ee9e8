"""The ingest in Django's ORM."""

from __future__ import annotations

import django
from django.conf import settings
from django.db import connection, models, transaction

from benchmarks.floor import Work
from benchmarks.measuring import Taken, now, since
from benchmarks.peers import PRAGMAS, asset_values, new_id, utc_now
from retrovue_uow import AssetDraft

DATABASE = {
    "ENGINE": "django.db.backends.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": ";".join(PRAGMAS)},
}
settings.configure(DATABASES={"default": DATABASE})
django.setup()


class Title(models.Model):
    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    kind = models.TextField()
    name = models.TextField()
    year = models.IntegerField(null=True)
    created_at = models.TextField(default=utc_now)

    class Meta:
        app_label = "station"
        db_table = "title"


class Season(models.Model):
    title = models.ForeignKey(Title, models.CASCADE)
    number = models.IntegerField()

    class Meta:
        app_label = "station"
        db_table = "season"


class Episode(models.Model):
    season = models.ForeignKey(Season, models.CASCADE)
    number = models.IntegerField()
    name = models.TextField(null=True)

    class Meta:
        app_label = "station"
        db_table = "episode"


class Asset(models.Model):
    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    collection_id = models.TextField()
    path_mapping_id = models.IntegerField()
    canonical_key = models.TextField()
    file_path = models.TextField()
    kind = models.TextField()
    state = models.TextField()
    approved = models.IntegerField()
    size = models.BigIntegerField(null=True)
    mtime_ns = models.BigIntegerField(null=True)
    sidecars = models.TextField()
    enrichers = models.TextField()
    duration_ms = models.BigIntegerField(null=True)
    container = models.TextField(null=True)
    video_codec = models.TextField(null=True)
    audio_codec = models.TextField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    missing_since = models.TextField(null=True)
    created_at = models.TextField(default=utc_now)
    updated_at = models.TextField(default=utc_now)

    class Meta:
        app_label = "station"
        db_table = "asset"


class EpisodeAsset(models.Model):
    episode = models.ForeignKey(Episode, models.CASCADE)
    asset = models.ForeignKey(Asset, models.CASCADE)

    class Meta:
        app_label = "station"
        db_table = "episode_asset"


class AssetMetadata(models.Model):
    asset = models.ForeignKey(Asset, models.CASCADE)
    domain = models.TextField()
    document = models.JSONField()

    class Meta:
        app_label = "station"
        db_table = "asset_metadata"


def ingest(path: str, work: Work) -> Taken:
    """What the writing took."""
    connection.settings_dict["NAME"] = path
    connection.ensure_connection()
    started = now()
    with transaction.atomic():
        for draft in work.drafts:
            with transaction.atomic():
                _write(work, draft)
    taken = since(started)
    connection.close()
    return taken


def _write(work: Work, draft: AssetDraft) -> None:
    title, _ = Title.objects.get_or_create(kind="show", name=draft.title, year=draft.year)
    season, _ = Season.objects.get_or_create(title=title, number=draft.season_number)
    asset = Asset.objects.create(**asset_values(work, draft))
    for number in draft.episode_numbers:
        episode, _ = Episode.objects.get_or_create(season=season, number=number, defaults={"name": draft.episode_title})
        EpisodeAsset.objects.create(episode=episode, asset=asset)
    for domain, document in draft.metadata.items():
        AssetMetadata.objects.create(asset=asset, domain=domain, document=document)
