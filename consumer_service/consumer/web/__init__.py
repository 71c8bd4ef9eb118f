"""HTTP: the dashboard, the stream's endpoint, health, and what guards them."""
