"""From a quote to an order."""
