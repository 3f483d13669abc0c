"""Other methods that infer parameters from maps, on the split of higlow and judged as higlow is."""
