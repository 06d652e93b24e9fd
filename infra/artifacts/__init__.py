"""The artifact store: deduplicated content in packs, and the index that finds it."""
