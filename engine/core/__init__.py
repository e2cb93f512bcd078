"""The protocol, pure: the standard library and msgspec alone; no clock, file, socket, task or global random number."""
