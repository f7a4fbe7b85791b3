"""`make bench` measures the speed of the console; README.md explains the figures."""
