"""Dead letters on their way out: to their own topic, and to an operator's terminal."""
