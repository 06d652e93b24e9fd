"""Looks into the tables of datasets, in a process of its own: what is there, is it as expected."""
