"""The recent events by position. Knows neither Kafka nor sockets."""
