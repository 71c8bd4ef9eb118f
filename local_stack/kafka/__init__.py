"""Apache Kafka without Docker: its jars, a Java to run them, and the settings of each broker."""
