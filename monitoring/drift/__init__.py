"""How far live distributions are from the reference: one method a file, then the judgement of a version."""
