"""Real PostgreSQL, real Kafka and our own services on one machine, without Docker."""
