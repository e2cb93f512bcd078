"""The simulated cluster: sites that run production replicas, on faulty disks and links, under one virtual clock."""
