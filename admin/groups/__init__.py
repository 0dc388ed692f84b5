"""Group buys: shoppers who fill a group together."""
