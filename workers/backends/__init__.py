"""Where attempts are placed: one protocol, a backend per way of placing."""
