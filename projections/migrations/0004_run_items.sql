-- What runs logged besides numbers and text: files, images, tables, charts.

CREATE TABLE run_item (
    run text NOT NULL,
    attempt int NOT NULL,
    number bigint NOT NULL, -- from 1 within the attempt
    name text NOT NULL,
    kind text NOT NULL,
    step bigint,
    time bigint NOT NULL, -- Unix milliseconds
    artifact text NOT NULL, -- that holds its content
    path text NOT NULL, -- of the content in the artifact
    media text NOT NULL,
    size bigint NOT NULL, -- bytes
    meta jsonb NOT NULL,
    PRIMARY KEY (run, attempt, number)
);
CREATE INDEX run_item_artifact ON run_item (artifact);
