"""The simulated world: production replicas, one seed, a virtual clock, a faulty network and disk, the truth."""
