"""Locked environments for user code: locks made by the platform, builds shared by a node."""
