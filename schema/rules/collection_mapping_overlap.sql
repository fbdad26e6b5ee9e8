-- No file can be reached through two mappings of a collection under two different paths.
-- `above` has each local path with every folder above it: equal texts are found by an index, beginnings are not. Its inner
-- `rtrim` takes off the last name: the characters of the path that are no slashes.
SELECT 'collection_mapping_overlap' AS rule,
       'collection' AS subject,
       collection.id AS id,
       'collection ' || quote(collection.name) || ' reaches the same files through two path mappings' AS detail
  FROM collection
 WHERE collection.id IN (
           WITH RECURSIVE
             mapped AS MATERIALIZED (
             SELECT id, collection_id, source_path, local_path, rtrim(local_path, '/') AS folder
               FROM path_mapping),
             above AS (
             SELECT id, folder
               FROM mapped
              UNION ALL
             SELECT id, rtrim(rtrim(folder, replace(folder, '/', '')), '/')
               FROM above
              WHERE folder <> '')
           SELECT inner_one.collection_id
             FROM above
             JOIN path_mapping AS inner_one ON inner_one.id = above.id
             JOIN mapped AS outer_one ON outer_one.folder = above.folder
                                     AND outer_one.collection_id = inner_one.collection_id
                                     AND outer_one.id <> inner_one.id
            WHERE inner_one.source_path
                  <> rtrim(outer_one.source_path, '/') || substr(inner_one.local_path, length(outer_one.folder) + 1))
