-- What policies decide by: sharing, subjects, the policies themselves, and values to filter runs by.

ALTER TABLE project
    ADD visibility text NOT NULL DEFAULT 'private',
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD users text[] NOT NULL DEFAULT '{}',
    ADD embargo_until timestamptz;
CREATE INDEX project_groups ON project USING gin (groups) WHERE groups <> '{}';
CREATE INDEX project_users ON project USING gin (users) WHERE users <> '{}';

ALTER TABLE experiment
    ADD visibility text NOT NULL DEFAULT 'private',
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD users text[] NOT NULL DEFAULT '{}',
    ADD embargo_until timestamptz;
CREATE INDEX experiment_creator ON experiment (created_by, created_at, id);
CREATE INDEX experiment_groups ON experiment USING gin (groups) WHERE groups <> '{}';
CREATE INDEX experiment_users ON experiment USING gin (users) WHERE users <> '{}';

ALTER TABLE abstraction
    ADD visibility text NOT NULL DEFAULT 'private',
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD users text[] NOT NULL DEFAULT '{}',
    ADD embargo_until timestamptz;
CREATE INDEX abstraction_creator ON abstraction (created_by, created_at, id);
CREATE INDEX abstraction_groups ON abstraction USING gin (groups) WHERE groups <> '{}';
CREATE INDEX abstraction_users ON abstraction USING gin (users) WHERE users <> '{}';

-- A version is as visible as its abstraction, a run as its experiment.
ALTER TABLE version
    ADD abstraction_owner text NOT NULL DEFAULT '',
    ADD visibility text NOT NULL DEFAULT 'private',
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD users text[] NOT NULL DEFAULT '{}',
    ADD embargo_until timestamptz;
UPDATE version v SET abstraction_owner = a.created_by FROM abstraction a WHERE a.id = v.abstraction;
CREATE INDEX version_creator ON version (created_by, created_at, id);
CREATE INDEX version_groups ON version USING gin (groups) WHERE groups <> '{}';
CREATE INDEX version_users ON version USING gin (users) WHERE users <> '{}';

ALTER TABLE run
    ADD experiment_owner text NOT NULL DEFAULT '',
    ADD visibility text NOT NULL DEFAULT 'private',
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD users text[] NOT NULL DEFAULT '{}',
    ADD embargo_until timestamptz;
UPDATE run r SET experiment_owner = e.created_by FROM experiment e WHERE e.id = r.experiment;
CREATE INDEX run_creator ON run (created_by, created_at, id);
CREATE INDEX run_experiment_owner ON run (experiment_owner, created_at, id);
CREATE INDEX run_public ON run (created_at, id) WHERE visibility = 'public';
CREATE INDEX run_visibility ON run (project, visibility, created_at, id);
CREATE INDEX run_groups ON run USING gin (groups) WHERE groups <> '{}';
CREATE INDEX run_users ON run USING gin (users) WHERE users <> '{}';

ALTER TABLE account
    ADD service boolean NOT NULL DEFAULT false,
    ADD admin boolean NOT NULL DEFAULT false, -- and enabled
    ADD joined text[] NOT NULL DEFAULT '{}', -- every group, also archived ones
    ADD roles jsonb NOT NULL DEFAULT '{}', -- the user's own: project to role
    -- What counts: groups that are not archived, and roles with those of these groups.
    ADD groups text[] NOT NULL DEFAULT '{}',
    ADD viewer_of text[] NOT NULL DEFAULT '{}',
    ADD contributor_of text[] NOT NULL DEFAULT '{}',
    ADD manager_of text[] NOT NULL DEFAULT '{}';
UPDATE account SET admin = true WHERE enabled AND attributes -> 'admin' = 'true';
CREATE INDEX account_joined ON account USING gin (joined);

CREATE TABLE user_group (
    id text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    archived boolean NOT NULL,
    roles jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX user_group_created ON user_group (created_at, id);

CREATE TABLE token (
    id text PRIMARY KEY,
    account text NOT NULL,
    label text NOT NULL,
    scopes text[] NOT NULL,
    purpose text NOT NULL,
    expires_at timestamptz,
    revoked boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX token_created ON token (created_at, id);
CREATE INDEX token_account ON token (account);

CREATE TABLE invitation (
    id text PRIMARY KEY,
    project text,
    role text,
    "group" text,
    expires_at timestamptz NOT NULL,
    uses int NOT NULL,
    note text NOT NULL,
    accepted text[] NOT NULL,
    revoked boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX invitation_created ON invitation (created_at, id);

CREATE TABLE policy (
    id text PRIMARY KEY,
    name text NOT NULL,
    active int,
    active_digest text,
    proposals jsonb NOT NULL, -- number, text, digest, comment, by, at, approved_by
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX policy_created ON policy (created_at, id);

CREATE TABLE decision (
    id text PRIMARY KEY,
    subject text NOT NULL,
    kind text NOT NULL,
    entity text NOT NULL,
    action text NOT NULL,
    permitted boolean NOT NULL,
    rule text,
    policy text,
    policy_set text NOT NULL,
    detail jsonb NOT NULL, -- subject, object, env, policies
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX decision_created ON decision (created_at, id);
CREATE INDEX decision_entity ON decision (entity, created_at, id);

-- Smallest and largest value logged in the present attempt; NaN counts for nothing.
ALTER TABLE metric_latest
    ADD low double precision,
    ADD high double precision,
    ADD last double precision GENERATED ALWAYS AS (NULLIF(value, 'NaN'::float8)) STORED;
UPDATE metric_latest SET low = last, high = last;
CREATE INDEX metric_latest_last ON metric_latest (key, last, run);
CREATE INDEX metric_latest_high ON metric_latest (key, high, run);
CREATE INDEX metric_latest_low ON metric_latest (key, low, run);

-- Which versions and runs a file belongs to.
CREATE INDEX version_bundle ON version ((source ->> 'bundle'));
CREATE INDEX version_lock ON version ((source ->> 'lock'));
CREATE INDEX version_artifacts ON version USING gin (artifacts jsonb_path_ops);
CREATE INDEX run_lock ON run (lock);
