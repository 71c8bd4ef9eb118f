"""From the ring to every open stream. Knows no Flask."""
