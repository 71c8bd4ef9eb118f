"""`python -m projector`."""

from projector.cli import cli

cli(prog_name="python -m projector")
