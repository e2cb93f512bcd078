"""What a screen knows of a site and does at it; no widget is known here."""
