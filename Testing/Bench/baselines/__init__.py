"""What the engine is measured against; each module has one way to carry annotated slices through a volume."""
