"""A majority is gone for good: a new cluster, with the log that the stores and backups that are left prove."""
