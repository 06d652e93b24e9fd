-- Whose sealed text nobody can read any more.
ALTER TABLE account ADD COLUMN erased boolean NOT NULL DEFAULT false;
