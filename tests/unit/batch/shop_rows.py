"""Rows of a shop, which its models are fitted on and asked about."""

import numpy as np
import pandas as pd


def shop_rows(count, seed=7):
    """So many customers, some of whom did not say everything; the same for the same seed."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, count),
            "city": random.choice(["Bern", "Łódź", "São Paulo"], count),
            "income": random.normal(3000, 900, count).round(2),
            "member": random.random(count) > 0.5,
        }
    )
    frame.loc[::10, "income"] = np.nan
    frame.loc[::15, "city"] = None
    return frame
