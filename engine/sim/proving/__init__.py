"""What proves the protocol, and is in no wheel: campaigns of drawn runs, hunted mutants, small clusters, the ladder."""
