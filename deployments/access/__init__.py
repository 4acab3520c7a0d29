"""Who calls, what they may do, how much of it, and a record of what was changed."""
