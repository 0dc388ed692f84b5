"""Where orders come from, and what is special about each way: one file per flow."""
