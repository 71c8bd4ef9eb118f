"""From the topic to the read models: the consumer group, the loop that applies batches, and how far behind it is."""
