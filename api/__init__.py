"""The HTTP edge: routes translate, commands decide, problems explain."""
