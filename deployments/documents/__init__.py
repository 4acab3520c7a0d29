"""An endpoint's own code: pre- and post-transformers out of a verified package, around its model."""
