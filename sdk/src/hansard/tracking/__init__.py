"""Runs in this very process, a notebook or a script: `with hansard.start_run(...)`."""
