"""Load, measurement and outside verification. Speaks HTTP only; imports neither gateway nor sidecar."""
