"""Seckill's data plane: the click gateway and the order writer."""

__version__ = "0.1.0"
