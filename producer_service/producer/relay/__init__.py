"""The relay: publishes what is left in the outbox, and deletes what it has read back from Kafka."""
