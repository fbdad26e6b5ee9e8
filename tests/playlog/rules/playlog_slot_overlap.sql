-- Two slots never share a moment.
SELECT 'playlog_slot_overlap' AS rule,
       'playlog_slot' AS subject,
       slot.id AS id,
       'slot ' || slot.id || ' begins within another' AS detail
  FROM playlog_slot AS slot
 WHERE EXISTS (SELECT 1
                 FROM playlog_slot AS other
                WHERE other.id <> slot.id
                  AND slot.start_ms BETWEEN other.start_ms AND other.end_ms - 1);
