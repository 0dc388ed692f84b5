"""Pre-sales: a deposit now, the balance later."""
