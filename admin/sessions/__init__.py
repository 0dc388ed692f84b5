"""Sessions 場次: the times of day at which flash sales are held."""
