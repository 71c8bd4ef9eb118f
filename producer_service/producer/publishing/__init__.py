"""From a stored event to Kafka: the direct publish after the commit, and what it shares with the relay."""
