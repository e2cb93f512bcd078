"""The protocol, pure: standard library only; no clock, file, socket, task or global random number."""
