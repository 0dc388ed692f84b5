"""What all pages share, the back office's and the storefront's: languages, forms, static files, asking the API."""
