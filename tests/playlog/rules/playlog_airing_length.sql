-- What was on the air has a length.
SELECT 'playlog_airing_length' AS rule,
       'playlog_airing' AS subject,
       id,
       'airing ' || id || ' has no length' AS detail
  FROM playlog_airing
 WHERE duration_ms <= 0
