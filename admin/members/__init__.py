"""Members: what the shop knows of its shoppers, for campaigns that are not for everyone."""
