-- Every collection and how its assets stand.
SELECT collection.name AS collection,
       source.name AS source,
       iif(collection.enabled, 'yes', 'no') AS enabled,
       count(asset.id) AS assets,
       count(*) FILTER (WHERE asset.state = 'ready') AS ready,
       count(*) FILTER (WHERE asset.approved) AS approved,
       count(*) FILTER (WHERE asset.missing_since IS NOT NULL) AS missing,
       count(*) FILTER (WHERE asset.kind = 'other') AS unclassified,
       count(*) FILTER (WHERE EXISTS (SELECT 1
                                        FROM finding
                                       WHERE finding.asset_id = asset.id
                                         AND finding.severity = 'broken')) AS broken,
       printf('%d:%02d:%02d',
              sum(asset.duration_ms) / 3600000,
              sum(asset.duration_ms) / 60000 % 60,
              sum(asset.duration_ms) / 1000 % 60) AS length,
       ifnull(sum(asset.duration_ms), 0) AS duration_ms,
       collection.id AS id
  FROM collection
  JOIN source ON source.id = collection.source_id
  LEFT JOIN asset ON asset.collection_id = collection.id
 GROUP BY collection.id
