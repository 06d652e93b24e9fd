-- What was made from a version or a run. Rows of runs that have not ended change too often to be
-- indexed by what they use; they are few, and found by their status.

CREATE INDEX version_origin_run ON version ((origin ->> 'run')) WHERE origin IS NOT NULL;
CREATE INDEX version_origin_version ON version ((origin ->> 'version')) WHERE origin IS NOT NULL;

CREATE INDEX run_ended_executor ON run (executor)
    WHERE status IN ('cancelled', 'failed', 'lost', 'succeeded');
CREATE INDEX run_ended_slots ON run USING gin (jsonb_path_query_array(slots, '$.*.version'))
    WHERE status IN ('cancelled', 'failed', 'lost', 'succeeded');
CREATE INDEX run_ended_datasets ON run USING gin (jsonb_path_query_array(datasets, '$.*'))
    WHERE status IN ('cancelled', 'failed', 'lost', 'succeeded') AND datasets <> '{}';
