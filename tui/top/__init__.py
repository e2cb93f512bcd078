"""One screen over all sites whose sockets this machine reaches."""
