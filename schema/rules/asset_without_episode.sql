-- An asset of kind episode shows an episode.
SELECT 'asset_without_episode' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is of kind episode and shows none' AS detail
  FROM asset
 WHERE asset.kind = 'episode'
   AND NOT EXISTS (SELECT 1 FROM episode_asset WHERE episode_asset.asset_id = asset.id)
