"""The ingest in SQLAlchemy's ORM."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from benchmarks.floor import Work
from benchmarks.measuring import Taken, now, since
from benchmarks.peers import asset_values, new_id, utc_now
from benchmarks.peers.sqlalchemy_core import engine_on
from retrovue_uow import AssetDraft


class Base(DeclarativeBase):
    """Of all the models."""


class Title(Base):
    __tablename__ = "title"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    name: Mapped[str]
    year: Mapped[int | None]
    created_at: Mapped[str] = mapped_column(default=utc_now)


class Season(Base):
    __tablename__ = "season"

    id: Mapped[int] = mapped_column(primary_key=True)
    title_id: Mapped[str] = mapped_column(sa.ForeignKey("title.id"))
    number: Mapped[int]

    title: Mapped[Title] = relationship()


class Episode(Base):
    __tablename__ = "episode"

    id: Mapped[int] = mapped_column(primary_key=True)
    season_id: Mapped[int] = mapped_column(sa.ForeignKey("season.id"))
    number: Mapped[int]
    name: Mapped[str | None]

    season: Mapped[Season] = relationship()


class Asset(Base):
    __tablename__ = "asset"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    collection_id: Mapped[str]
    path_mapping_id: Mapped[int]
    canonical_key: Mapped[str]
    file_path: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    approved: Mapped[int]
    size: Mapped[int | None]
    mtime_ns: Mapped[int | None]
    sidecars: Mapped[str]
    enrichers: Mapped[str]
    duration_ms: Mapped[int | None]
    container: Mapped[str | None]
    video_codec: Mapped[str | None]
    audio_codec: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    missing_since: Mapped[str | None]
    created_at: Mapped[str] = mapped_column(default=utc_now)
    updated_at: Mapped[str] = mapped_column(default=utc_now, onupdate=utc_now)

    links: Mapped[list[EpisodeAsset]] = relationship(back_populates="asset")
    documents: Mapped[list[AssetMetadata]] = relationship(back_populates="asset")


class EpisodeAsset(Base):
    __tablename__ = "episode_asset"

    id: Mapped[int] = mapped_column(primary_key=True)
    episode_id: Mapped[int] = mapped_column(sa.ForeignKey("episode.id"))
    asset_id: Mapped[str] = mapped_column(sa.ForeignKey("asset.id"))

    episode: Mapped[Episode] = relationship()
    asset: Mapped[Asset] = relationship(back_populates="links")


class AssetMetadata(Base):
    __tablename__ = "asset_metadata"

    id: Mapped[int] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(sa.ForeignKey("asset.id"))
    domain: Mapped[str]
    document: Mapped[dict[str, object]] = mapped_column(sa.JSON)

    asset: Mapped[Asset] = relationship(back_populates="documents")


def ingest(path: str, work: Work) -> Taken:
    """What the writing took."""
    engine = engine_on(path)
    with Session(engine) as session:
        started = now()
        with session.begin():
            for draft in work.drafts:
                with session.begin_nested():
                    _write(session, work, draft)
        taken = since(started)
    engine.dispose()
    return taken


def _write(session: Session, work: Work, draft: AssetDraft) -> None:
    title = session.scalars(
        sa.select(Title).where(Title.kind == "show", Title.name == draft.title, Title.year == draft.year)
    ).one_or_none()
    if title is None:
        title = Title(kind="show", name=draft.title, year=draft.year)
        session.add(title)
    season = session.scalars(sa.select(Season).where(Season.title == title, Season.number == draft.season_number)).one_or_none()
    if season is None:
        season = Season(title=title, number=draft.season_number)
        session.add(season)
    asset = Asset(**asset_values(work, draft))
    session.add(asset)
    for number in draft.episode_numbers:
        episode = session.scalars(sa.select(Episode).where(Episode.season == season, Episode.number == number)).one_or_none()
        if episode is None:
            episode = Episode(season=season, number=number, name=draft.episode_title)
        asset.links.append(EpisodeAsset(episode=episode))
    for domain, document in draft.metadata.items():
        asset.documents.append(AssetMetadata(domain=domain, document=document))
