"""The log: which slots are chosen, what they mean, and how what is missing is found (R1-R6)."""
