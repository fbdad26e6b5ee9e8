-- What nothing could classify is not planned. Its asset may be far from the slot.
SELECT 'playlog_slot_unclassified' AS rule,
       'playlog_slot' AS subject,
       playlog_slot.id AS id,
       'slot ' || playlog_slot.id || ' shows what nothing could classify' AS detail
  FROM playlog_slot
  JOIN asset ON asset.id = playlog_slot.asset_id
 WHERE asset.kind = 'other'
