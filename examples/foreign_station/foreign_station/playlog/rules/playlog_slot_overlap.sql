-- There is one transmitter: a slot begins when the one before it is over.
SELECT 'playlog_slot_overlap' AS rule,
       'playlog_slot' AS subject,
       later.id AS id,
       'slot ' || later.id || ' begins at ' || later.starts_at || ', when slot ' || earlier.id || ' is not over' AS detail
  FROM playlog_slot AS earlier
  JOIN playlog_slot AS later ON later.starts_at >= earlier.starts_at
                            AND later.starts_at < earlier.ends_at
                            AND later.id <> earlier.id
