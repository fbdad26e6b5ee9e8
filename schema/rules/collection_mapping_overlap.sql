-- No file can be reached through two mappings of a collection under two different paths.
SELECT 'collection_mapping_overlap' AS rule,
       'collection' AS subject,
       collection.id AS id,
       'collection ' || quote(collection.name) || ' reaches the same files through two path mappings' AS detail
  FROM collection
 WHERE EXISTS (SELECT 1
                 FROM path_mapping AS outer_one
                 JOIN path_mapping AS inner_one ON inner_one.collection_id = outer_one.collection_id
                                               AND inner_one.id <> outer_one.id
                WHERE outer_one.collection_id = collection.id
                  AND substr(rtrim(inner_one.local_path, '/') || '/', 1, length(rtrim(outer_one.local_path, '/')) + 1)
                      = rtrim(outer_one.local_path, '/') || '/'
                  AND inner_one.source_path
                      <> rtrim(outer_one.source_path, '/')
                         || substr(inner_one.local_path, length(rtrim(outer_one.local_path, '/')) + 1))
