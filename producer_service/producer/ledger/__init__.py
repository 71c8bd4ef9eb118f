"""The ledger: orders, outbox and topic side by side, and what is missing put back."""
