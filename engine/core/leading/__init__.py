"""Who proposes what, and when: the three settings of leadership (L1-L4)."""
