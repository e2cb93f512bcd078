"""Scenario files: a schedule that a person can read and write, and what is expected of it (docs/scenarios.md)."""
