-- Where the objects of the artifact store lie, and what refers to what. All of it but the open
-- uploads can be rebuilt from the packs.

CREATE TABLE object (
    name bytea PRIMARY KEY,
    kind smallint NOT NULL,
    codec smallint NOT NULL,
    raw int NOT NULL,
    span bigint NOT NULL, -- bytes of content: of a tree those of its pieces, else its own
    stored int NOT NULL,
    pack text NOT NULL,
    place bigint NOT NULL, -- of the payload in its pack
    look text, -- the format of a file that begins with this piece, where its beginning proves one
    since timestamptz NOT NULL DEFAULT now(),
    condemned timestamptz, -- nothing refers to it: answered as missing, removed after a while
    damaged boolean NOT NULL DEFAULT false -- answered as missing until somebody sends it again
);
ALTER TABLE object ALTER name SET STORAGE PLAIN;
CREATE INDEX object_pack ON object (pack);
CREATE INDEX object_condemned ON object (condemned) WHERE condemned IS NOT NULL;

CREATE TABLE pack (
    id text PRIMARY KEY,
    bytes bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    verified timestamptz NOT NULL DEFAULT now(),
    loose boolean NOT NULL, -- holds objects that are stored raw and have not been tried smaller
    retired timestamptz -- holds nothing any more: removed when nobody can be reading it
);
CREATE INDEX pack_loose ON pack (since) WHERE loose;
CREATE INDEX pack_verified ON pack (verified);
CREATE INDEX pack_retired ON pack (retired) WHERE retired IS NOT NULL;

-- Parents are trees, leaves and roots.
CREATE TABLE ref (
    parent bytea NOT NULL,
    child bytea NOT NULL,
    kind smallint NOT NULL, -- of the child, as the parent says
    size bigint NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX ref_child ON ref (child, parent);

CREATE TABLE upload (
    id text PRIMARY KEY,
    principal text NOT NULL,
    touched timestamptz NOT NULL DEFAULT now()
);

-- What an open upload may commit: sent in it, or answered as present.
CREATE TABLE upload_object (
    upload text NOT NULL REFERENCES upload ON DELETE CASCADE,
    name bytea NOT NULL,
    sent boolean NOT NULL DEFAULT false, -- else it may only be committed as long as it can be read
    PRIMARY KEY (upload, name)
);
CREATE INDEX upload_object_sent ON upload_object (name) WHERE sent;

-- Contents that were inspected as a whole and accepted: of a file, or of some that share a piece.
CREATE TABLE inspected (
    content bytea PRIMARY KEY,
    formats text[] NOT NULL
);

-- Leaves whose files were checked and accepted: what a commit need not look into again.
CREATE TABLE accepted (
    leaf bytea PRIMARY KEY,
    files int NOT NULL,
    size bigint NOT NULL,
    first bytea NOT NULL,
    last bytea NOT NULL,
    formats text[] NOT NULL
);

-- How far the record went when garbage was collected last: a record that ends earlier is not the
-- one that these objects belong to, or has lost its end.
CREATE TABLE collection (position bigint NOT NULL);
