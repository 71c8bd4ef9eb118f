"""Orders, their events and their outbox rows. Knows neither Flask nor Kafka."""
