"""Matrix instructions: fragments, descriptors, and how products are summed."""
