-- What the operator retired is not in use, whichever way it came back.
-- CROSS JOIN begins at the decisions, which are fewer than the assets.
SELECT 'retirement_contradicted' AS rule,
       'asset' AS subject,
       asset.id AS id,
       quote(asset.canonical_key) || ' is retired by the operator, and is ' || asset.state AS detail
  FROM asset
 WHERE asset.state <> 'retired'
   AND EXISTS (SELECT 1
                 FROM retirement
                WHERE retirement.collection_id = asset.collection_id
                  AND retirement.canonical_key = asset.canonical_key)
UNION ALL
SELECT 'retirement_contradicted',
       'retirement',
       retirement.id,
       quote(retirement.canonical_key) || ' is retired by the operator, and is ' || asset.state
  FROM retirement
 CROSS JOIN asset ON asset.collection_id = retirement.collection_id
                 AND asset.canonical_key = retirement.canonical_key
 WHERE asset.state <> 'retired'
