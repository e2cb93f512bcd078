"""The simulated world: production replicas under one seed, a virtual clock, a faulty network and disk, and the truth."""
