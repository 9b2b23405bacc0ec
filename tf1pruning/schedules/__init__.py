"""When how much goes: rounds of pruning with training behind each of them."""
