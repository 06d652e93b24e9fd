"""What keeps a step apart from its node: one protocol, a module per level, and their choice."""
