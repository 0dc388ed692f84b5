"""Pages of what is sold: campaigns, orders, refunds; and who did what, and who may."""
