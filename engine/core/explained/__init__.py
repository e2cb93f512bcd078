"""What people are told: why, what hinders, and what happened at a slot. Nothing here decides anything."""
