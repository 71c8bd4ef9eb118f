"""`python -m producer.openapi`: prints the OpenAPI document, for contracts/openapi.json."""

import click

from producer.openapi.document import as_text


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Print the OpenAPI document of the producer."""
    click.echo(as_text(), nl=False)


if __name__ == "__main__":
    main(prog_name="python -m producer.openapi")
