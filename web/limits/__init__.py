"""What a request, a connection or a file may cost, each limit by its name: `table.py` lists them all."""
