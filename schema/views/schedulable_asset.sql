-- What may be put on air: ready (so not retired), approved by the operator, not missing.
SELECT id,
       kind,
       title,
       year,
       season,
       episodes,
       first_episode,
       episode_title,
       part,
       duration_ms,
       file AS file_path,
       collection
  FROM asset_listing
 WHERE state = 'ready'
   AND approved = 'yes'
   AND missing_since IS NULL
