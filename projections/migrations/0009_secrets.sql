-- Secrets: what they are called and how they are shared; their values lie elsewhere.
CREATE TABLE secret (
    id text PRIMARY KEY,
    project text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    number int NOT NULL, -- of the present value
    deleted boolean NOT NULL,
    visibility text NOT NULL,
    groups text[] NOT NULL,
    users text[] NOT NULL,
    embargo_until timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX secret_created ON secret (created_at, id);
CREATE INDEX secret_creator ON secret (created_by, created_at, id);
CREATE INDEX secret_name ON secret (project, lower(name));
CREATE INDEX secret_groups ON secret USING gin (groups) WHERE groups <> '{}';
CREATE INDEX secret_users ON secret USING gin (users) WHERE users <> '{}';
