"""HTTP: requests become calls of the domain, results and errors become responses."""
