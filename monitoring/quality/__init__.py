"""How good a version is: measured on labels, estimated without them, and whether it is getting worse."""
