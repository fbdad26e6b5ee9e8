-- What the operator assigned is what an asset is and shows; episodes may be called otherwise by another assignment.
-- CROSS JOIN begins at the decisions, which are fewer than the assets.
SELECT 'assignment_contradicted' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(assignment.canonical_key) || ' is not what the operator assigned' AS detail
  FROM asset
  JOIN assignment ON assignment.collection_id = asset.collection_id
                 AND assignment.canonical_key = asset.canonical_key
 WHERE (asset.kind <> assignment.kind
        OR (assignment.kind = 'movie'
            AND NOT EXISTS (SELECT 1
                              FROM movie_asset
                              JOIN title ON title.id = movie_asset.title_id
                             WHERE movie_asset.asset_id = asset.id
                               AND title.name = assignment.title
                               AND title.year IS assignment.year))
        OR (assignment.kind = 'episode'
            AND ((SELECT count(*) FROM episode_asset WHERE episode_asset.asset_id = asset.id)
                 <> json_array_length(assignment.episode_numbers)
                 OR EXISTS (SELECT 1
                              FROM episode_asset
                              JOIN episode ON episode.id = episode_asset.episode_id
                              JOIN season ON season.id = episode.season_id
                              JOIN title ON title.id = season.title_id
                             WHERE episode_asset.asset_id = asset.id
                               AND NOT (title.name = assignment.title
                                        AND title.year IS assignment.year
                                        AND season.number = assignment.season_number
                                        AND episode.number IN (SELECT value
                                                                 FROM json_each(assignment.episode_numbers)))))))
UNION ALL
SELECT 'assignment_contradicted',
       'assignment',
       assignment.id,
       quote(assignment.canonical_key) || ' is not what the operator assigned'
  FROM assignment
 CROSS JOIN asset ON asset.collection_id = assignment.collection_id
                 AND asset.canonical_key = assignment.canonical_key
 WHERE (asset.kind <> assignment.kind
        OR (assignment.kind = 'movie'
            AND NOT EXISTS (SELECT 1
                              FROM movie_asset
                              JOIN title ON title.id = movie_asset.title_id
                             WHERE movie_asset.asset_id = asset.id
                               AND title.name = assignment.title
                               AND title.year IS assignment.year))
        OR (assignment.kind = 'episode'
            AND ((SELECT count(*) FROM episode_asset WHERE episode_asset.asset_id = asset.id)
                 <> json_array_length(assignment.episode_numbers)
                 OR EXISTS (SELECT 1
                              FROM episode_asset
                              JOIN episode ON episode.id = episode_asset.episode_id
                              JOIN season ON season.id = episode.season_id
                              JOIN title ON title.id = season.title_id
                             WHERE episode_asset.asset_id = asset.id
                               AND NOT (title.name = assignment.title
                                        AND title.year IS assignment.year
                                        AND season.number = assignment.season_number
                                        AND episode.number IN (SELECT value
                                                                 FROM json_each(assignment.episode_numbers)))))))
UNION ALL
SELECT 'assignment_contradicted',
       'title',
       title.id,
       quote(assignment.canonical_key) || ' is not what the operator assigned'
  FROM title
  JOIN movie_asset ON movie_asset.title_id = title.id
  JOIN asset ON asset.id = movie_asset.asset_id
  JOIN assignment ON assignment.collection_id = asset.collection_id
                 AND assignment.canonical_key = asset.canonical_key
 WHERE title.name IS NOT assignment.title
    OR title.year IS NOT assignment.year
UNION ALL
SELECT 'assignment_contradicted',
       'title',
       title.id,
       quote(assignment.canonical_key) || ' is not what the operator assigned'
  FROM title
  JOIN season ON season.title_id = title.id
  JOIN episode ON episode.season_id = season.id
  JOIN episode_asset ON episode_asset.episode_id = episode.id
  JOIN asset ON asset.id = episode_asset.asset_id
  JOIN assignment ON assignment.collection_id = asset.collection_id
                 AND assignment.canonical_key = asset.canonical_key
 WHERE title.name IS NOT assignment.title
    OR title.year IS NOT assignment.year
UNION ALL
SELECT 'assignment_contradicted',
       'season',
       season.id,
       quote(assignment.canonical_key) || ' is not what the operator assigned'
  FROM season
  JOIN title ON title.id = season.title_id
  JOIN episode ON episode.season_id = season.id
  JOIN episode_asset ON episode_asset.episode_id = episode.id
  JOIN asset ON asset.id = episode_asset.asset_id
  JOIN assignment ON assignment.collection_id = asset.collection_id
                 AND assignment.canonical_key = asset.canonical_key
 WHERE season.number IS NOT assignment.season_number
    OR title.name IS NOT assignment.title
    OR title.year IS NOT assignment.year
UNION ALL
SELECT 'assignment_contradicted',
       'episode',
       episode.id,
       quote(assignment.canonical_key) || ' is not what the operator assigned'
  FROM episode
  JOIN season ON season.id = episode.season_id
  JOIN title ON title.id = season.title_id
  JOIN episode_asset ON episode_asset.episode_id = episode.id
  JOIN asset ON asset.id = episode_asset.asset_id
  JOIN assignment ON assignment.collection_id = asset.collection_id
                 AND assignment.canonical_key = asset.canonical_key
 WHERE episode.number NOT IN (SELECT value FROM json_each(assignment.episode_numbers))
    OR season.number IS NOT assignment.season_number
    OR title.name IS NOT assignment.title
    OR title.year IS NOT assignment.year
