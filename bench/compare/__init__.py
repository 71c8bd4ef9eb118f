"""Ways to get a committed order to Kafka, side by side, quiet and under faults: `python -m bench.compare`."""
