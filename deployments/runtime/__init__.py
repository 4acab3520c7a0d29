"""Loading a model package and predicting with it; shared by pools, batch scoring and packaging."""
