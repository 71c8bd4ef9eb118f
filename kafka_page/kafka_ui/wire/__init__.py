"""Kafka's protocol, as far as it is asked of one broker at a time: the client chooses a broker by itself, waits for one
that hangs, and has no call for the quorum or for the bytes on disk."""
