"""The read models made anew from the topic, beside the live ones: to take their place, or for an analysis."""
