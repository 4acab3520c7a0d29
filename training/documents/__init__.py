"""What is written for people about a version."""
