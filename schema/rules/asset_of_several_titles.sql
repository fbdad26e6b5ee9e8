-- The episodes that one asset shows are of one title.
SELECT 'asset_of_several_titles' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' shows episodes of more than one title' AS detail
  FROM asset
 WHERE asset.kind = 'episode'
   AND EXISTS (SELECT 1
                 FROM episode_asset AS one
                 JOIN episode AS one_episode ON one_episode.id = one.episode_id
                 JOIN season AS one_season ON one_season.id = one_episode.season_id
                 JOIN episode_asset AS other ON other.asset_id = one.asset_id AND other.id > one.id
                 JOIN episode AS other_episode ON other_episode.id = other.episode_id
                 JOIN season AS other_season ON other_season.id = other_episode.season_id
                WHERE one.asset_id = asset.id
                  AND one_season.title_id <> other_season.title_id)
