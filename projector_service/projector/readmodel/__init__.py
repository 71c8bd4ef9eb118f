"""What events add up to: reading them, parking what cannot be read, and the changes they make. No I/O."""
