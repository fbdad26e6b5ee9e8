-- An asset of kind movie has a title.
SELECT 'asset_without_movie' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is of kind movie and has no title' AS detail
  FROM asset
 WHERE asset.kind = 'movie'
   AND NOT EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.asset_id = asset.id)
