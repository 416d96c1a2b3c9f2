"""What the FewShotSegment module is made of; FewShotSegment.py beside this folder is its thin front.

Data flows one way: `panels` (Qt: what the user sees) → `jobs` (what is running, on a worker process) → `scene` (volumes
and segmentations, MRML without Qt). `setup` is what has to be there first, `effect` the same for the Segment Editor.
`logic` is the scripting interface to all of it.
"""
