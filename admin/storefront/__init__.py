"""What shoppers see: products, search, landing pages and sessions as JSON."""
