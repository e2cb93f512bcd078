"""The events of this site, from their submission to their outcome (E1-E5)."""
