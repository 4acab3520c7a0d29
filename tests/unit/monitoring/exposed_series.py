"""Which series there are, as Prometheus stores them."""

from deployments.contracts import metric_names

_NAMES = [value for name, value in vars(metric_names).items() if name.isupper() and isinstance(value, str)]
_NAMES += [figure.metric for figure in metric_names.GATEWAY_FIGURES.values()]
EXPOSED = {name + suffix for name in _NAMES for suffix in ("", "_total", "_bucket", "_count", "_sum")}
"""Every series that the code can expose."""
