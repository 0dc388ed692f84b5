"""The cart simulator: what a cart comes to for anybody, at any time, and why."""
