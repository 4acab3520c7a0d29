"""The prediction log: what was asked, what was answered and why, in parquet segments.

``writer.PredictionLog`` is a gateway's side. ``reader`` (``read``, ``files``, ``find``), ``labels`` and ``gaps``
answer questions. ``care`` compacts, expires and erases.
"""
