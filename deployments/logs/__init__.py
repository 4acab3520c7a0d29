"""What processes say of themselves: one line of JSON an event, in one schema."""
