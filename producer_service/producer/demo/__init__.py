"""Made-up orders for demonstrations and load."""
