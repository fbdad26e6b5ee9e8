-- No title goes by a name that the operator has given up for another one, and has given to none anew.
-- CROSS JOIN begins at the decisions, which are fewer than the titles.
SELECT 'title_spelling_contradicted' AS rule,
       'title' AS subject,
       title.id AS id,
       title.kind || ' ' || quote(title.name) || ' is spelled ' || quote(title_spelling.name) || ' by the operator' AS detail
  FROM title
  JOIN title_spelling ON title_spelling.kind = title.kind
                     AND title_spelling.spelled = title.name
                     AND ifnull(title_spelling.spelled_year, 0) = ifnull(title.year, 0)
 WHERE NOT EXISTS (SELECT 1
                     FROM title_spelling AS given
                    WHERE given.kind = title.kind
                      AND given.name = title.name
                      AND given.year IS title.year)
UNION ALL
SELECT 'title_spelling_contradicted',
       'title_spelling',
       title_spelling.id,
       title.kind || ' ' || quote(title.name) || ' is spelled ' || quote(title_spelling.name) || ' by the operator'
  FROM title_spelling
 CROSS JOIN title ON title.kind = title_spelling.kind
                 AND title.name = title_spelling.spelled
                 AND ifnull(title.year, 0) = ifnull(title_spelling.spelled_year, 0)
 WHERE NOT EXISTS (SELECT 1
                     FROM title_spelling AS given
                    WHERE given.kind = title.kind
                      AND given.name = title.name
                      AND given.year IS title.year)
