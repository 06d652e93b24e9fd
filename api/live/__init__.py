"""Live subscriptions: one reader of the record per process, any number of listeners."""
