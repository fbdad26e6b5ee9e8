-- Planned, but not to be aired as things are. No rule: one file that vanishes must not make a whole ingest fail.
SELECT playlog_slot.id,
       playlog_slot.starts_at,
       asset.file_path,
       CASE WHEN asset.missing_since IS NOT NULL THEN 'its file is missing'
            WHEN asset.state = 'retired' THEN 'it is retired'
            ELSE 'it is not approved' END AS reason
  FROM playlog_slot
  JOIN asset ON asset.id = playlog_slot.asset_id
 WHERE asset.approved = 0
    OR asset.missing_since IS NOT NULL
 ORDER BY playlog_slot.starts_at
