"""Products: what there is to sell, at which base price, and how many of them are free."""
