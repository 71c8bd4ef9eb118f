"""From a server to its viewers: ours beside what else people use (`python -m bench.fanout`)."""
