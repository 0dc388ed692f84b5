"""What shoppers may have erased."""
