"""How seckills sell at this moment, for operators who watch."""
