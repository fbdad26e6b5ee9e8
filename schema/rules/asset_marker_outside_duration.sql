-- Markers lie inside their asset, as far as its duration is known.
SELECT 'asset_marker_outside_duration' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' has a marker after its end' AS detail
  FROM asset
 WHERE asset.duration_ms IS NOT NULL
   AND EXISTS (SELECT 1
                 FROM marker
                WHERE marker.asset_id = asset.id
                  AND ifnull(marker.end_ms, marker.start_ms) > asset.duration_ms)
