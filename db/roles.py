"""The roles that the apps log in with; roles.sql gives each its rights, docker-compose.yml its address."""

ROLES = ("producer", "relay", "projector", "connect")
