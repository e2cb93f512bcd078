"""The engine process: trio, UDP sockets and the control socket around one replica."""
