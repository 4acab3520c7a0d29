"""Whether a candidate may have more: one check a file, each a function of what was observed. Pure.

Every check says *unhealthy* when its limit is surely exceeded, at any size of the sample and however often it is
asked; *inconclusive* while there is too little data, or the limit seems to be exceeded and that may be chance;
else *healthy*.
"""
