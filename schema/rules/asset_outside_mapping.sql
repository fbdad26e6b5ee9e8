-- An asset's path lies below the path mapping that it came through, and that mapping is its collection's.
SELECT 'asset_outside_mapping' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' does not lie below the path mapping that it names' AS detail
  FROM asset
  LEFT JOIN path_mapping ON path_mapping.id = asset.path_mapping_id
 WHERE path_mapping.collection_id IS NOT asset.collection_id
    OR instr(asset.canonical_key, rtrim(path_mapping.source_path, '/') || '/') <> 1
