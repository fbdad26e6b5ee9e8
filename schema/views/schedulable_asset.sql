-- What may be put on air: ready (so not retired), approved by the operator, not missing. Versions show exactly the same episodes or
-- movie, and part: that of rank 1 is to air, and each other one has as many better ones before it. All else has rank 1, too.
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
       collection,
       (SELECT 1 + count(*)
          FROM asset AS own
          LEFT JOIN preference AS own_preference ON own_preference.collection_id = own.collection_id
                                                AND own_preference.canonical_key = own.canonical_key
          JOIN asset AS other ON other.id IN (SELECT link.asset_id
                                                FROM movie_asset AS own_link
                                                JOIN movie_asset AS link ON link.title_id = own_link.title_id
                                               WHERE own_link.asset_id = own.id
                                               UNION ALL
                                              SELECT link.asset_id
                                                FROM episode_asset AS own_link
                                                JOIN episode_asset AS link ON link.episode_id = own_link.episode_id
                                               WHERE own_link.asset_id = own.id)
          LEFT JOIN preference ON preference.collection_id = other.collection_id
                              AND preference.canonical_key = other.canonical_key
         WHERE own.id = asset_listing.id
           AND other.id <> own.id
           AND other.state = 'ready'
           AND other.approved = 1
           AND other.missing_since IS NULL
           AND other.part IS own.part
           AND (-ifnull(preference.id, 0), -ifnull(other.height, 0), -ifnull(other.size, 0), other.id)
               < (-ifnull(own_preference.id, 0), -ifnull(own.height, 0), -ifnull(own.size, 0), own.id)
           AND (SELECT group_concat(episode_id)
                  FROM (SELECT episode_id FROM episode_asset WHERE asset_id = other.id ORDER BY episode_id))
               IS (SELECT group_concat(episode_id)
                     FROM (SELECT episode_id FROM episode_asset WHERE asset_id = own.id ORDER BY episode_id))) AS version_rank
  FROM asset_listing
 WHERE state = 'ready'
   AND approved = 'yes'
   AND missing_since IS NULL
 ORDER BY title COLLATE NOCASE,
          year,
          season,
          first_episode,
          part,
          file
