"""`make bench`: how fast preview and up are, as ratios measured in one run."""
