"""HTTP: the pages, the live tail, health, and what guards them. Every route is a GET."""
