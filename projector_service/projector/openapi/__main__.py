"""`python -m projector.openapi`: prints the OpenAPI document, for contracts/projector-openapi.json."""

import click

from projector.openapi.document import as_text


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Print the OpenAPI document of the projector."""
    click.echo(as_text(), nl=False)


if __name__ == "__main__":
    main(prog_name="python -m projector.openapi")
