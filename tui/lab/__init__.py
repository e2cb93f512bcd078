"""The lab: a full screen on the simulated world, or on what real sites have recorded; never the live log."""
