"""Synthetic leads: features as the models take them, and whether each lead bought.

No row is of a person. Ages, cars, homes and sums are drawn from plain distributions; what a lead wrote is one of a
few phrases. A lead buys with a probability that a logistic formula of its features gives, so that calibration can
be judged by the truth.

Run ``python examples/lead-scoring/generate.py``; the same seed writes the same rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

KEEN = ("need a policy this week", "please call me today", "my contract ends soon and i want to switch")
COLD = ("just comparing prices", "only looking", "maybe next year")
OCCUPATIONS = ("teacher", "nurse", "engineer", "driver", "student", "retired")
MAKES = ("volkswagen", "toyota", "renault", "bmw", "tesla")
CONSTRUCTIONS = ("brick", "concrete", "wood")


def auto(random: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Leads for car insurance and their log-odds of buying."""
    age = random.integers(17, 80, rows)
    leads = pd.DataFrame(
        {
            "age": age,
            "driving_years": (age - 17) - random.integers(0, 1 + np.minimum(age - 17, 5)),
            "vehicle_age": random.integers(0, 20, rows),
            "annual_mileage": random.integers(2, 40, rows) * 1000,
            "make": random.choice(MAKES, rows),
            "occupation": random.choice(OCCUPATIONS, rows),
        }
    )
    odds = (
        0.03 * (leads["driving_years"] - 20) + 0.04 * leads["annual_mileage"] / 1000 - 0.06 * leads["vehicle_age"]
    )
    return leads, (odds + 0.5 * (leads["make"] == "toyota") - 0.6 * (leads["occupation"] == "student")).to_numpy()


def home(random: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Leads for home insurance and their log-odds of buying."""
    leads = pd.DataFrame(
        {
            "age": random.integers(18, 85, rows),
            "home_age": random.integers(0, 120, rows),
            "area": random.normal(110, 40, rows).clip(20, 400).round(),
            "construction": random.choice(CONSTRUCTIONS, rows, p=(0.6, 0.25, 0.15)),
            "owner": random.random(rows) < 0.6,
            "claims": random.poisson(0.4, rows),
        }
    )
    odds = 1.2 * leads["owner"] + 0.006 * leads["area"] - 0.4 * leads["claims"] - 0.004 * leads["home_age"]
    return leads, (odds - 0.4 * (leads["construction"] == "wood")).to_numpy()


def health(random: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Leads for health insurance and their log-odds of buying."""
    leads = pd.DataFrame(
        {
            "age": random.integers(0, 85, rows),
            "body_mass_index": random.normal(25.5, 4, rows).clip(15, 50).round(1),
            "smoker": random.random(rows) < 0.22,
            "household": random.integers(1, 6, rows),
            "occupation": random.choice(OCCUPATIONS, rows),
        }
    )
    odds = 0.35 * leads["household"] + 0.012 * leads["age"] - 0.7 * leads["smoker"]
    return leads, (odds - 0.03 * (leads["body_mass_index"] - 25)).to_numpy()


def life(random: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Leads for life insurance and their log-odds of buying."""
    age = random.integers(18, 70, rows)
    leads = pd.DataFrame(
        {
            "age": age,
            "smoker": random.random(rows) < 0.22,
            "insured_sum": random.integers(2, 60, rows) * 10_000.0,
            "years": np.minimum(random.integers(5, 35, rows), 85 - age),
            "dependants": random.poisson(1.1, rows),
            "occupation": random.choice(OCCUPATIONS, rows),
        }
    )
    odds = 0.7 * leads["dependants"] - 0.5 * leads["smoker"] - 0.0012 * leads["insured_sum"] / 1000
    return leads, (odds + 0.02 * leads["years"]).to_numpy()


VERTICALS: dict[str, Callable[[np.random.Generator, int], tuple[pd.DataFrame, np.ndarray]]] = {
    "auto": auto,
    "home": home,
    "health": health,
    "life": life,
}
BUYERS = 0.62
"""Share of the leads that buy: they come from pages on which people ask for a quote."""


def leads_of(vertical: str, rows: int, seed: int) -> pd.DataFrame:
    """Leads of one vertical with the column ``outcome``: ``accepted`` or ``declined``."""
    random = np.random.default_rng([seed, list(VERTICALS).index(vertical)])
    leads, odds = VERTICALS[vertical](random, rows)
    keen = random.random(rows) < 0.5
    leads["message"] = np.where(keen, random.choice(KEEN, rows), random.choice(COLD, rows))
    odds = odds + np.where(keen, 1.4, -1.4)
    # The intercept at which the mean probability is BUYERS, by bisection: the mean rises with it.
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-(odds + middle)))).mean() < BUYERS else (low, middle)
    bought = random.random(rows) < 1 / (1 + np.exp(-(odds + low)))
    leads["outcome"] = np.where(bought, "accepted", "declined")
    return leads


def main() -> None:
    """Write one Parquet file a vertical."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--directory", type=Path, default=Path(".raygate/lead-scoring"))
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    for vertical in VERTICALS:
        file = options.directory / f"{vertical}.parquet"
        leads_of(vertical, options.rows, options.seed).to_parquet(file, index=False)
        print(f"{file}: {options.rows} leads")


if __name__ == "__main__":
    main()
