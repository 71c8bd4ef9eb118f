"""Process supervision: the configuration of supervisord, its launch, and the client that controls it."""
