"""The commands start, stop, status and logs, and everything they need to know about a service."""
