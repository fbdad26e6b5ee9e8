"""The unit of work beside its peers: who keeps which promise, what nesting costs, and who waits how long."""
