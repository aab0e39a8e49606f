"""Frozen typed records that cross rooms. No record computes or prints anything."""
