-- What the operator said of what may go on the air, kept by path and beside the assets like the other decisions: it holds
-- again when the same file comes back, and speaks of no other file under that path.

CREATE TABLE approval (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    canonical_key TEXT NOT NULL CHECK (canonical_key <> ''),        -- of the asset, which need not be there
    approved      INTEGER NOT NULL CHECK (approved IN (0, 1)),      -- 0: the operator withdrew it
    size          INTEGER,                                          -- bytes; these facts are those of the file it speaks of
    mtime_ns      INTEGER,                                          -- since the epoch
    duration_ms   INTEGER,
    shown         TEXT NOT NULL CHECK (json_valid(shown) AND json_type(shown) = 'array'),  -- kind, title, year, season, episodes
    decided_at    TEXT NOT NULL,                                    -- UTC
    UNIQUE (collection_id, canonical_key)
) STRICT;

INSERT INTO approval (collection_id, canonical_key, approved, size, mtime_ns, duration_ms, shown, decided_at)
SELECT asset.collection_id,
       asset.canonical_key,
       1,
       asset.size,
       asset.mtime_ns,
       asset.duration_ms,
       json_array(asset.kind,
                  coalesce(movie.name, show.name),
                  coalesce(movie.year, show.year),
                  season.number,
                  json((SELECT json_group_array(each_episode.number ORDER BY each_episode.number)
                          FROM episode_asset AS each_link
                          JOIN episode AS each_episode ON each_episode.id = each_link.episode_id
                         WHERE each_link.asset_id = asset.id))),
       asset.updated_at
  FROM asset
  LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id
  LEFT JOIN title AS movie ON movie.id = movie_asset.title_id
  LEFT JOIN episode_asset ON episode_asset.id = (SELECT min(first_link.id)
                                                   FROM episode_asset AS first_link
                                                  WHERE first_link.asset_id = asset.id)
  LEFT JOIN episode ON episode.id = episode_asset.episode_id
  LEFT JOIN season ON season.id = episode.season_id
  LEFT JOIN title AS show ON show.id = season.title_id
 WHERE asset.approved = 1;
