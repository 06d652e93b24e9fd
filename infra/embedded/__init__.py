"""The embedded servers of `hansard up`: real nats-server and PostgreSQL as supervised children."""
