"""From Kafka into the ring: the tail, what it reads back at start, older history, and whether it is up to date."""
