"""The rules: aggregates, their events and errors, and pure decisions. No I/O, no clock."""
