"""The control socket's contract, for both of its ends: what may be asked, how it fails, and what bounds there are.

Each of them imports this, and it imports nothing of either."""
