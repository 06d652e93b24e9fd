-- The envelope of every event, to find events by; what happened is in the record itself.
CREATE TABLE event (
    position bigint PRIMARY KEY,
    time timestamptz NOT NULL,
    kind text NOT NULL,
    entity text NOT NULL,
    version int NOT NULL, -- of the entity
    action text NOT NULL, -- the topic without its version
    actor text NOT NULL,
    request text,
    project text,
    reason text
);
CREATE INDEX event_entity ON event (entity, position);
CREATE INDEX event_actor ON event (actor, position);
CREATE INDEX event_action ON event (action, position);
CREATE INDEX event_request ON event (request);
CREATE INDEX event_time ON event USING brin (time);
