"""One function per user command: load, decide, save, answer the position."""
