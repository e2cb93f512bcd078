"""A site in lines alone, for screen readers, and terminals that cannot be drawn on."""
