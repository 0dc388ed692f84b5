"""`seckill up`: every part on one machine, started, supervised and stopped together."""
