"""Payment providers: one interface, and one module for each."""
