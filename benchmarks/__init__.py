"""How fast pypid is, as ratios to what stands next to it; run by hand: ``python -m benchmarks``."""
