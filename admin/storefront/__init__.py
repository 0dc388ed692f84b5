"""What shoppers see of the shop: lists, product pages, campaigns and sessions, at the prices of the engine."""
