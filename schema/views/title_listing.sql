-- Every show and movie with what belongs to it in all collections; a file counts once, however many episodes it shows.
SELECT kind,
       title,
       year,
       seasons,
       episodes,
       files,
       printf('%d:%02d:%02d', duration_ms / 3600000, duration_ms / 60000 % 60, duration_ms / 1000 % 60) AS length,
       duration_ms,
       id
  FROM (SELECT title.kind AS kind,
               title.name AS title,
               title.year AS year,
               (SELECT count(*) FROM season WHERE season.title_id = title.id) AS seasons,
               (SELECT count(*)
                  FROM season
                  JOIN episode ON episode.season_id = season.id
                 WHERE season.title_id = title.id) AS episodes,
               (SELECT count(*) FROM movie_asset WHERE movie_asset.title_id = title.id)
               + (SELECT count(DISTINCT episode_asset.asset_id)
                    FROM season
                    JOIN episode ON episode.season_id = season.id
                    JOIN episode_asset ON episode_asset.episode_id = episode.id
                   WHERE season.title_id = title.id) AS files,
               (SELECT ifnull(sum(asset.duration_ms), 0)
                  FROM asset
                 WHERE asset.id IN (SELECT movie_asset.asset_id
                                      FROM movie_asset
                                     WHERE movie_asset.title_id = title.id
                                    UNION ALL
                                    SELECT episode_asset.asset_id
                                      FROM season
                                      JOIN episode ON episode.season_id = season.id
                                      JOIN episode_asset ON episode_asset.episode_id = episode.id
                                     WHERE season.title_id = title.id)) AS duration_ms,
               title.id AS id
          FROM title)
