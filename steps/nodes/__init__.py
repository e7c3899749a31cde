"""The set of machines: everything that happens to a node after its birth, one node at a time."""
