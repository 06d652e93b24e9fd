-- Environment variables that a run gives to its step.
ALTER TABLE run ADD COLUMN variables jsonb NOT NULL DEFAULT '{}';
