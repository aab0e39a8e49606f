"""What runs inside a recorded command: this folder is put on its `PYTHONPATH`."""
