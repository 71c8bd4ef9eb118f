"""`python -m producer.relay`."""

from producer.relay.cli import relay

relay(prog_name="python -m producer.relay")
