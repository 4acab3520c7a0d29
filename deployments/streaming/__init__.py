"""A Kafka topic in, predictions out: at least once, in the order of each key."""
