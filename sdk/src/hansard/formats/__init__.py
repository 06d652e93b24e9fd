"""Versioned wire and file formats that the SDK and the servers share: standard library only."""
