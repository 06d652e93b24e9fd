"""Access: active policies, facts of entities, what has changed, and the guard of commands."""
