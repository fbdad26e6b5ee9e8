-- A file that is known to be broken is never ready, and so never scheduled.
SELECT 'asset_ready_though_broken' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is ready, and its file is broken' AS detail
  FROM asset
 WHERE asset.state = 'ready'
   AND EXISTS (SELECT 1
                 FROM finding
                WHERE finding.asset_id = asset.id
                  AND finding.severity = 'broken')
