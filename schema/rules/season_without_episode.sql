-- A season has an episode.
SELECT 'season_without_episode' AS rule,
       'season' AS subject,
       season.id AS id,
       'season ' || season.number || ' of title ' || season.title_id || ' has no episode' AS detail
  FROM season
 WHERE NOT EXISTS (SELECT 1 FROM episode WHERE episode.season_id = season.id)
