"""The read models in PostgreSQL: what is written in one transaction with the positions, and what is read."""
