-- Every asset in one readable row, by title, season and episode. What belongs to no show or movie is titled with the name of its
-- file; what holds several episodes has the episode title of the lowest. A part is what the file holds of its movie or episode; no
-- part: the whole.
SELECT collection.name AS collection,
       asset.kind AS kind,
       coalesce(movie.name,
                show.name,
                substr(asset.file_path, length(rtrim(asset.file_path, replace(asset.file_path, '/', ''))) + 1)) AS title,
       coalesce(movie.year, show.year) AS year,
       season.number AS season,
       (SELECT iif(count(*) > 1 AND max(number) - min(number) = count(*) - 1,
                   min(number) || '-' || max(number),
                   group_concat(number, ', '))
          FROM (SELECT shown.number AS number
                  FROM episode_asset
                  JOIN episode AS shown ON shown.id = episode_asset.episode_id
                 WHERE episode_asset.asset_id = asset.id
                 ORDER BY shown.number)) AS episodes,
       episode.number AS first_episode,
       episode.name AS episode_title,
       asset.part AS part,
       asset.state AS state,
       iif(asset.approved, 'yes', 'no') AS approved,
       asset.missing_since AS missing_since,
       iif(asset.duration_ms IS NULL,
           NULL,
           printf('%d:%02d:%02d',
                  asset.duration_ms / 3600000,
                  asset.duration_ms / 60000 % 60,
                  asset.duration_ms / 1000 % 60)) AS length,
       asset.duration_ms AS duration_ms,
       asset.video_codec AS video,
       asset.audio_codec AS audio,
       asset.width || 'x' || asset.height AS picture,
       asset.size AS size,
       iif(EXISTS (SELECT 1
                     FROM finding
                    WHERE finding.asset_id = asset.id
                      AND finding.severity = 'broken'),
           'yes',
           'no') AS broken,
       asset.file_path AS file,
       asset.id AS id
  FROM asset
  LEFT JOIN collection ON collection.id = asset.collection_id
  LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id
  LEFT JOIN title AS movie ON movie.id = movie_asset.title_id
  LEFT JOIN episode ON episode.id = (SELECT shown.id
                                       FROM episode_asset
                                       JOIN episode AS shown ON shown.id = episode_asset.episode_id
                                      WHERE episode_asset.asset_id = asset.id
                                      ORDER BY shown.number
                                      LIMIT 1)
  LEFT JOIN season ON season.id = episode.season_id
  LEFT JOIN title AS show ON show.id = season.title_id
 ORDER BY title COLLATE NOCASE,
          year,
          season,
          first_episode,
          part,
          file
