"""`python -m producer.cdc`."""

from producer.cdc.cli import cdc

cdc(prog_name="python -m producer.cdc")
