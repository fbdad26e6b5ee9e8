-- A title has content: a show has a season, a movie has an asset.
-- The plus keeps SQLite from an index that finds half of all titles, where it knows the identifiers.
SELECT 'title_without_content' AS rule,
       'title' AS subject,
       title.id AS id,
       'show ' || quote(title.name) || ' has no season' AS detail
  FROM title
 WHERE +title.kind = 'show'
   AND NOT EXISTS (SELECT 1 FROM season WHERE season.title_id = title.id)
UNION ALL
SELECT 'title_without_content',
       'title',
       title.id,
       'movie ' || quote(title.name) || ' has no asset'
  FROM title
 WHERE +title.kind = 'movie'
   AND NOT EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.title_id = title.id)
