"""HTTP: figures, timelines and health. It only reads."""
