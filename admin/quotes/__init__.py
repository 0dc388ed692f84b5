"""Prices of carts: the shop in memory, the facts of a shopper, and the stored snapshot behind every token."""
