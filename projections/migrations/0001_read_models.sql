-- Read models: everything here is folded from the record and can be dropped and rebuilt.

CREATE TABLE tracking (
    stream text PRIMARY KEY,
    position bigint NOT NULL
);
INSERT INTO tracking VALUES ('EVENTS', 0), ('TELEMETRY', 0);

-- Events that could not be folded, and those of the same entity queued behind them.
CREATE TABLE dead_letter (
    stream text NOT NULL,
    position bigint NOT NULL,
    entity text NOT NULL,
    topic text NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (stream, position)
);
CREATE INDEX dead_letter_entity ON dead_letter (entity);

CREATE TABLE project (
    id text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX project_created ON project (created_at, id);

CREATE TABLE experiment (
    id text PRIMARY KEY,
    project text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX experiment_created ON experiment (created_at, id);
CREATE INDEX experiment_project ON experiment (project, created_at, id);

CREATE TABLE abstraction (
    id text PRIMARY KEY,
    kind text NOT NULL,
    project text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    versions int NOT NULL,
    latest text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX abstraction_created ON abstraction (kind, created_at, id);
CREATE INDEX abstraction_name ON abstraction (kind, project, lower(name));

CREATE TABLE version (
    id text PRIMARY KEY,
    abstraction text NOT NULL,
    kind text NOT NULL,
    project text NOT NULL,
    number int NOT NULL,
    source jsonb NOT NULL,
    artifacts jsonb NOT NULL,
    origin jsonb,
    archived boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX version_abstraction ON version (abstraction, number);
CREATE INDEX version_created ON version (created_at, id);

CREATE TABLE run (
    id text PRIMARY KEY,
    project text NOT NULL,
    experiment text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    executor text NOT NULL,
    parameters jsonb NOT NULL,
    slots jsonb NOT NULL,
    resources jsonb NOT NULL,
    lock text NOT NULL,
    seed bigint NOT NULL,
    status text NOT NULL,
    attempt int NOT NULL,
    cancel_requested boolean NOT NULL,
    backend text,
    node text,
    sandbox text,
    facts jsonb,
    reason text,
    results jsonb,
    logged jsonb,
    failure jsonb,
    outputs jsonb,
    metric_points bigint,
    series_root text,
    notes jsonb NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX run_created ON run (created_at, id);
CREATE INDEX run_project ON run (project, created_at, id);
CREATE INDEX run_experiment ON run (experiment, created_at, id);
CREATE INDEX run_status ON run (status, created_at, id);

CREATE TABLE account (
    id text PRIMARY KEY,
    profile text NOT NULL, -- sealed
    attributes jsonb NOT NULL,
    enabled boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX account_created ON account (created_at, id);

-- Highest frame folded per attempt: frames that arrive twice are dropped by number.
CREATE TABLE frame_mark (
    run text NOT NULL,
    attempt int NOT NULL,
    seq bigint NOT NULL,
    points bigint NOT NULL,
    tail_frames int NOT NULL,
    tail_bytes bigint NOT NULL,
    ended boolean NOT NULL,
    PRIMARY KEY (run, attempt)
);

-- Metric frames as they came, until compaction turns them into one chunk a key.
CREATE TABLE metric_tail (
    run text NOT NULL,
    attempt int NOT NULL,
    seq bigint NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (run, attempt, seq)
);
ALTER TABLE metric_tail ALTER payload SET STORAGE EXTERNAL;

CREATE TABLE metric_chunk (
    run text NOT NULL,
    attempt int NOT NULL,
    key text NOT NULL,
    seq bigint NOT NULL, -- of the first frame in it
    points int NOT NULL,
    payload bytea NOT NULL,
    summary bytea, -- smallest, largest and last value of each 64 points; none if short or unordered
    PRIMARY KEY (run, attempt, key, seq)
);
ALTER TABLE metric_chunk ALTER payload SET STORAGE EXTERNAL;
ALTER TABLE metric_chunk ALTER summary SET STORAGE EXTERNAL;

-- The newest point of each series: the metrics column of a run.
CREATE TABLE metric_latest (
    run text NOT NULL,
    key text NOT NULL,
    attempt int NOT NULL,
    step bigint NOT NULL,
    value double precision NOT NULL,
    time bigint NOT NULL, -- Unix milliseconds
    points bigint NOT NULL,
    PRIMARY KEY (run, key)
);

CREATE TABLE log_chunk (
    run text NOT NULL,
    attempt int NOT NULL,
    stream text NOT NULL,
    first_line bigint NOT NULL,
    lines jsonb NOT NULL,
    times jsonb NOT NULL,
    PRIMARY KEY (run, attempt, stream, first_line)
);
