-- What is planned, and could not air now.
SELECT playlog_slot.id AS id,
       asset_listing.title AS title
  FROM playlog_slot
  JOIN asset_listing ON asset_listing.id = playlog_slot.asset_id
 WHERE asset_listing.state <> 'ready'
    OR asset_listing.approved = 'no'
    OR asset_listing.missing_since IS NOT NULL
