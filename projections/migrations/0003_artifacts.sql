-- Bytes in the store, what is known of versions, and datasets.

CREATE TABLE artifact (
    id text PRIMARY KEY,
    project text NOT NULL,
    root text NOT NULL,
    size bigint NOT NULL, -- raw bytes
    files bigint NOT NULL,
    format text NOT NULL,
    run text,
    version text, -- that it is attached to
    quarantined boolean NOT NULL,
    hold text, -- why it is held
    retained_until timestamptz,
    deleted boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX artifact_creator ON artifact (created_by, created_at);
CREATE INDEX artifact_root ON artifact (root);
CREATE INDEX artifact_run ON artifact (run);
CREATE INDEX artifact_version ON artifact (version);

ALTER TABLE version
    ALTER source DROP NOT NULL,
    ADD content jsonb, -- artifact, root, size, files, format, quarantined
    ADD artifact text,
    ADD format text,
    ADD size bigint, -- raw bytes
    ADD quarantined boolean NOT NULL DEFAULT false,
    ADD description text NOT NULL DEFAULT '',
    ADD tags jsonb NOT NULL DEFAULT '{}',
    ADD card text,
    ADD metrics jsonb NOT NULL DEFAULT '{}',
    ADD parameters jsonb NOT NULL DEFAULT '{}',
    ADD input_schema jsonb,
    ADD output_schema jsonb,
    ADD environment jsonb,
    ADD parents text[] NOT NULL DEFAULT '{}', -- versions it was made of
    ADD data text[] NOT NULL DEFAULT '{}', -- versions of datasets it was made with
    ADD origin_source jsonb,
    ADD mode text,
    ADD form text,
    ADD reproducible boolean,
    ADD deleted boolean NOT NULL DEFAULT false,
    ADD deleted_reason text,
    ADD profile jsonb,
    ADD profile_error text,
    ADD examples jsonb,
    ADD quality text,
    ADD checks jsonb,
    ADD check_examples jsonb,
    ADD aliases text[] NOT NULL DEFAULT '{}'; -- of its abstraction, that mean its number
CREATE INDEX version_artifact ON version (artifact) WHERE artifact IS NOT NULL;
CREATE INDEX version_parents ON version USING gin (parents) WHERE parents <> '{}';
CREATE INDEX version_data ON version USING gin (data) WHERE data <> '{}';

ALTER TABLE abstraction
    ADD aliases jsonb NOT NULL DEFAULT '{}', -- name to number
    ADD expectations text;

ALTER TABLE run
    ADD datasets jsonb NOT NULL DEFAULT '{}'; -- name to version
CREATE INDEX run_datasets ON run USING gin (datasets) WHERE datasets <> '{}';
