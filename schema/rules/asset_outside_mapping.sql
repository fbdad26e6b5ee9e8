-- An asset's path lies below the path mapping that it came through, and that mapping is its collection's.
SELECT 'asset_outside_mapping' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' does not lie below the path mapping that it names' AS detail
  FROM asset
 WHERE NOT EXISTS (SELECT 1
                     FROM path_mapping
                    WHERE path_mapping.id = asset.path_mapping_id
                      AND path_mapping.collection_id = asset.collection_id
                      AND substr(asset.canonical_key, 1, length(rtrim(path_mapping.source_path, '/')) + 1)
                          = rtrim(path_mapping.source_path, '/') || '/')
