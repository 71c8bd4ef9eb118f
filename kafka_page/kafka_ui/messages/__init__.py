"""The messages of a topic: pages of them, all of one key, and the live tail."""
