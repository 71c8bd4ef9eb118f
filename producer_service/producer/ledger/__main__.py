"""`python -m producer.ledger`."""

import logging
import sys

from producer.ledger.cli import UNKNOWN, main

try:
    code = main()
except Exception:
    # Python's own exit code for this is 1, which here says that something is missing.
    logging.getLogger(__name__).exception("The ledger has failed")
    code = UNKNOWN
sys.exit(code)
