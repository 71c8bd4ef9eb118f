"""`python -m producer.openapi` prints the API's document, for contracts/openapi.json."""

import sys

from producer.openapi_document import as_text

if __name__ == "__main__":
    sys.stdout.write(as_text())
