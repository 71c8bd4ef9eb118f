"""Change data capture: keeps Debezium's connector and its replication slot as PUBLISHER=debezium needs them."""
