-- The episodes that one asset shows are of one season.
SELECT 'episode_of_other_season' AS rule,
       'episode' AS subject,
       episode.id AS id,
       'episode ' || episode.number || ' of season ' || episode.season_id
       || ' shares an asset with an episode of another season' AS detail
  FROM episode
 WHERE EXISTS (SELECT 1
                 FROM episode_asset AS own_link
                 JOIN episode_asset AS other_link ON other_link.asset_id = own_link.asset_id
                 JOIN episode AS other_episode ON other_episode.id = other_link.episode_id
                WHERE own_link.episode_id = episode.id
                  AND other_episode.season_id <> episode.season_id)
