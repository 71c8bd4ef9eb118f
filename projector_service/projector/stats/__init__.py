"""What the orders add up to, on its way to the dashboards: one message on a topic of its own, again and again."""
