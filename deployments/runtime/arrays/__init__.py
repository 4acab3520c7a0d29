"""A fitted pipeline on plain arrays: for one row, data frames and checks cost more than the model."""
