"""Copies that run beside the threads, and the barriers that tell when they are done."""
