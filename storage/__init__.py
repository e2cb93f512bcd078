"""A site's store on disk."""
