"""The cluster as its brokers describe it, and in words what is wrong with it."""
