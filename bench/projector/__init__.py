"""How fast the projector reads a backlog, by the number of its instances."""
