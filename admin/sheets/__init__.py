"""CSV files of products, categories and members: exported as they are, imported row by row."""
