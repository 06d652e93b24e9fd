"""Attribute-based policies: one formula a kind and action, as SQL, as Python, through casbin."""
