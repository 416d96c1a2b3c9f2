"""Volumes and segmentations of the scene: MRML without Qt, so that it runs in scripts and without Slicer's windows.

Masks are boxes: a uint8 array [z, y, x] of 0 and 1, and the (z, y, x) of its first voxel in the volume's array. Slices
are counted along an array axis from 0. What the user can mend is a `SceneError`, whose text is one sentence.
"""
