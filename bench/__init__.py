"""How fast the console is: `make bench` measures it, and README.md says what the figures mean."""
