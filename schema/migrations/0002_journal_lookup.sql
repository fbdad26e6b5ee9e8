-- What the journal is asked again and again must not cost what the journal has grown to.

CREATE INDEX operation_subject ON operation (name, json_extract(result, '$.collection.id'));

CREATE INDEX unit_recorded ON unit_of_work (id) WHERE changeset IS NOT NULL;
