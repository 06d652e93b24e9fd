-- What was kept before there was a choice became a version of the same model.
UPDATE run SET slots = (
    SELECT coalesce(jsonb_object_agg(s.key, s.value || jsonb_build_object(
        'keep', CASE s.value ->> 'keep' WHEN 'true' THEN 'version' ELSE 'none' END, 'name', NULL
    )), '{}')
    FROM jsonb_each(slots) s
);

-- Runs that were asked for together, one for each seed.
ALTER TABLE run ADD COLUMN run_group text;
CREATE INDEX run_run_group ON run (run_group, created_at, id) WHERE run_group IS NOT NULL;
