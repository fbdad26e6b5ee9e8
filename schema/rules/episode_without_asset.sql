-- An episode has an asset that shows it.
SELECT 'episode_without_asset' AS rule,
       'episode' AS subject,
       episode.id AS id,
       'episode ' || episode.number || ' of season ' || episode.season_id || ' has no asset' AS detail
  FROM episode
 WHERE NOT EXISTS (SELECT 1 FROM episode_asset WHERE episode_asset.episode_id = episode.id)
