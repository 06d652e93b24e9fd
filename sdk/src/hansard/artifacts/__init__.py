"""Artifacts of the platform from the client's side: cut, deduplicated, sent, fetched, cached."""
