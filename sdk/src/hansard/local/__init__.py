"""Runs of an executor on this machine, without a server: the same runner, results in a folder."""
