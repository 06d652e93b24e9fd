"""Access: the guard of commands, who may read bytes, and whom an event shows."""
