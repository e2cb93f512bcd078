"""The screens: the main one and those that come over it."""
