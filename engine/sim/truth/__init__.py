"""What is true in a world, told from its disks, and what must never be: each room of it knows one subject."""
