"""Decides from the record itself: the attributes of entities, and the policies in force."""
