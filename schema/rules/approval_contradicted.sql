-- What is approved is the file that the operator approved, and nothing is from which the approval was withdrawn.
-- CROSS JOIN begins at the decisions, which are fewer than the assets.
SELECT 'approval_contradicted' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is approved, and the operator has not approved this file' AS detail
  FROM asset
  JOIN approval ON approval.collection_id = asset.collection_id
               AND approval.canonical_key = asset.canonical_key
 WHERE asset.approved = 1
   AND (approval.approved = 0
        OR approval.size IS NOT asset.size
        OR approval.duration_ms IS NOT asset.duration_ms)
UNION ALL
SELECT 'approval_contradicted',
       'approval',
       approval.id,
       quote(approval.canonical_key) || ' is approved, and the operator has not approved this file'
  FROM approval
 CROSS JOIN asset ON asset.collection_id = approval.collection_id
                 AND asset.canonical_key = approval.canonical_key
 WHERE asset.approved = 1
   AND (approval.approved = 0
        OR approval.size IS NOT asset.size
        OR approval.duration_ms IS NOT asset.duration_ms)
