"""The audit: stores of a real cluster, held against the rules of the protocol."""
