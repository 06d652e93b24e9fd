"""Benchmarks: one module per name in bounds.toml, ours beside the floor or the peer."""
