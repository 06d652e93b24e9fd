"""Everything that opens a connection or touches a disk."""
