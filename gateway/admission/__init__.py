"""From a click to a decision: what is refused here, what is batched, what Redis decides."""
