"""The composition root: what is started on Ray, and the command line."""
