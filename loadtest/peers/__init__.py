"""Programs that the benchmark runs beside the gateway."""
