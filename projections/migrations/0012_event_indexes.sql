-- An event costs as few index entries as will do: by action and request it is looked for seldom,
-- and the decisions of a request are few.
DROP INDEX event_action;
DROP INDEX event_request;
CREATE INDEX event_decision ON event (request) WHERE kind = 'decision';
