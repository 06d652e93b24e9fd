"""The record: one JetStream stream, one subject per event, a hash chain per aggregate."""
