"""HTTP routes by noun: each parses, runs a command or a query, and answers a position."""
