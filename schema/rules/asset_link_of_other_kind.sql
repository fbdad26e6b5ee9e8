-- Only an asset of kind episode shows episodes, only one of kind movie has a movie's title.
SELECT 'asset_link_of_other_kind' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is of kind ' || asset.kind || ' and shows an episode' AS detail
  FROM asset
 WHERE asset.kind <> 'episode'
   AND EXISTS (SELECT 1 FROM episode_asset WHERE episode_asset.asset_id = asset.id)
UNION ALL
SELECT 'asset_link_of_other_kind',
       'asset',
       asset.id,
       quote(asset.canonical_key) || ' is of kind ' || asset.kind || ' and has a movie''s title'
  FROM asset
 WHERE asset.kind <> 'movie'
   AND EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.asset_id = asset.id)
