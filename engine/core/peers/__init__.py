"""The other sites: who is heard, which store each runs on, and what leaves for one together (D5, W1)."""
