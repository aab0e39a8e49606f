"""Measurements on a real GPU that the models of the machine are made of."""
