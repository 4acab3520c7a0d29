"""Why a row got its score, in terms of the raw features that the caller sent."""
