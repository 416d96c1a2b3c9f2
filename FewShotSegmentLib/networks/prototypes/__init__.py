"""Prototypes: what a support's features are condensed to, and how a query is compared with them.

One idea per file; the networks put them together. C channels, h × w cells of a feature map, S shots, Q queries,
K prototypes. The files name where the published code of SSL-ALPNet (Ouyang et al., ECCV 2020 and TMI 2022) and DSPNet
(Tang et al., MedIA 2025) departs from its paper or goes wrong.
"""
