-- Which versions play which slots: what is offered and what is demanded, each once however many
-- versions share it, and the verdict on each pair.

CREATE TABLE offer (
    digest text PRIMARY KEY,
    shape jsonb NOT NULL
);
CREATE TABLE demand (
    digest text PRIMARY KEY,
    shape jsonb NOT NULL
);
CREATE TABLE fit (
    demand text NOT NULL,
    offer text NOT NULL,
    verdict text NOT NULL, -- fits, unchecked, refused
    reasons jsonb NOT NULL,
    fields jsonb NOT NULL, -- method to its parameters that a user gives, each with whether it must be
    PRIMARY KEY (demand, offer)
);
CREATE INDEX fit_offer ON fit (offer);

ALTER TABLE version
    ADD offer text,
    ADD demands text[] NOT NULL DEFAULT '{}';
CREATE INDEX version_offer ON version (offer) WHERE offer IS NOT NULL;
CREATE INDEX version_demands ON version USING gin (demands) WHERE demands <> '{}';
