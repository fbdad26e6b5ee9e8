-- A movie has no seasons, a show has no assets of its own.
-- The plus keeps SQLite from an index that finds half of all titles, where it knows the identifiers.
SELECT 'title_of_other_kind' AS rule,
       'title' AS subject,
       title.id AS id,
       'movie ' || quote(title.name) || ' has a season' AS detail
  FROM title
 WHERE +title.kind = 'movie'
   AND EXISTS (SELECT 1 FROM season WHERE season.title_id = title.id)
UNION ALL
SELECT 'title_of_other_kind',
       'title',
       title.id,
       'show ' || quote(title.name) || ' has an asset like a movie'
  FROM title
 WHERE +title.kind = 'show'
   AND EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.title_id = title.id)
