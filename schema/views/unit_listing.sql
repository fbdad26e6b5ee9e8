-- The journal, newest unit of work first: by rowid and not by time, for a clock can be set back.
SELECT unit_of_work.committed_at AS committed_at,
       (SELECT group_concat(name, ', ')
          FROM (SELECT operation.name AS name
                  FROM operation
                 WHERE operation.unit_id = unit_of_work.id
                 ORDER BY operation.id)) AS operations,
       (SELECT sum(ifnull(atom, 0)) FROM json_tree(unit_of_work.counts)) AS rows_changed,
       iif(length(unit_of_work.changeset) > 0 AND unit_of_work.counts <> '{}', 'yes', 'no') AS undoable,
       unit_of_work.pid AS pid,
       unit_of_work.library_version AS library_version,
       unit_of_work.id AS id
  FROM unit_of_work
 ORDER BY unit_of_work.rowid DESC
