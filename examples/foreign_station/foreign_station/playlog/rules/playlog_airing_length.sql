-- Rights holders are paid by the minute.
SELECT 'playlog_airing_length' AS rule,
       'playlog_airing' AS subject,
       id,
       'airing ' || id || ' took ' || duration_ms || ' ms' AS detail
  FROM playlog_airing
 WHERE duration_ms <= 0
