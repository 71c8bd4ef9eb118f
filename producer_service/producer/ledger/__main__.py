"""`python -m producer.ledger`."""

import sys

from producer.ledger.cli import main

sys.exit(main())
