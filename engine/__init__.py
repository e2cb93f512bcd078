"""Loggos's engine: the protocol, its wire, its configuration and the process that runs it."""
