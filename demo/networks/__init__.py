"""Networks with variables of random or trained weights, by name in `catalogue`."""
