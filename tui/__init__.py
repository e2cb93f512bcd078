"""The commands and the full-screen terminal UI: clients of a site's control socket."""
