"""Which tissue lies where: an abdomen drawn from ellipsoids and tubes that smooth noise has bent."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label as connected

from .shapes import Bool, Field, Grid, ellipsoid, make_grid, smooth_noise, tube


class Tissue(IntEnum):
    """What a voxel is made of; the look of each is in `appearance`."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    MARROW = 4
    BONE = 5
    DISC = 6
    CORD = 7
    LUNG = 8
    LUNG_VESSEL = 9
    HEART = 10
    BOWEL_WALL = 11
    BOWEL = 12
    GAS = 13
    VEIN = 14
    BILE = 15
    LIVER = 16
    LIVER_VESSEL = 17
    SPLEEN = 18
    CORTEX = 19
    MEDULLA = 20
    STOMACH_WALL = 21
    FLUID = 22
    AORTA = 23
    PANCREAS = 24


NAMES = {1: "liver", 2: "spleen", 3: "right kidney", 4: "left kidney", 5: "stomach", 6: "aorta"}
LIVER, SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, STOMACH, AORTA = NAMES


class _Painter:
    """The two maps while they are drawn: later tissue replaces earlier, a label is only set on free voxels."""

    def __init__(self, shape: tuple[int, int, int]):
        self.tissue: NDArray[np.uint8] = np.zeros(shape, np.uint8)
        self.labels: NDArray[np.uint8] = np.zeros(shape, np.uint8)

    def paint(self, where: Bool, tissue: Tissue) -> None:
        self.tissue[where & (self.labels == 0)] = tissue

    def organ(self, where: Bool, label: int, tissue: Tissue) -> Bool:
        free = _largest(where & (self.labels == 0))
        self.tissue[free] = tissue
        self.labels[free] = label
        return free


def _largest(where: Bool) -> Bool:
    """Keep the largest connected part, so that crumbs cut off by a neighbour do not stretch an organ's extent."""
    parts, count = connected(where)
    if count < 2:
        return where
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept: Bool = parts == sizes.argmax()
    return kept


class _Wall:
    """The trunk: how deep a voxel lies under the skin, and where fat and muscle end."""

    def __init__(self, grid: Grid, lumps: Field):
        waist = 1.0 - 0.045 * np.exp(-(((grid.z - 90) / 60) ** 2))
        across, along = np.abs(grid.x) / (154 * waist), grid.y / (106 * waist)
        # The back is flatter than the belly: a higher power there, and a shallow groove along the spine.
        power = np.where(grid.y > 0, np.float32(2.7), np.float32(2.15))
        radius = (across**power + np.abs(along) ** power) ** (1 / power)
        groove = 4 * np.exp(-((grid.x / 16) ** 2)) * np.clip(along, 0, 1)
        self.depth: Field = ((1 - radius) * 112 - groove).astype(np.float32)
        flank = np.clip(along, -0.3, 1) * np.clip(across * 1.6, 0, 1)
        self.fat: Field = (15 + 9 * flank + 2.5 * lumps + 5 * (1 - grid.z / 300)).astype(np.float32)
        self.muscle: Field = (self.fat + 11 + 3 * across).astype(np.float32)
        self.cavity: Bool = self.depth > self.muscle


def draw(shape: tuple[int, int, int], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the patient.

    Args:
        shape: Voxels along z, y, x; whatever they are, the patient fills the image.
        rng: Decides how this patient differs from another.

    Returns:
        Tissue of each voxel (`Tissue`) and label of each voxel (`NAMES`, 0 elsewhere), both uint8 [z, y, x].
    """
    straight = make_grid(shape)
    bend = [smooth_noise(shape, 75, rng) for _ in range(3)]
    grid = Grid(x=straight.x + 4.5 * bend[0], y=straight.y + 4.5 * bend[1], z=straight.z + 5 * bend[2])
    lumps = smooth_noise(shape, 32, rng)
    painter = _Painter(shape)
    # The skin and the spine are bent less than the organs, or the patient would look crumpled.
    trunk = Grid(x=straight.x + 2 * bend[0], y=straight.y + 2 * bend[1], z=straight.z + 0 * bend[2])
    wall = _Wall(trunk, lumps)

    painter.paint(wall.depth > 0, Tissue.SKIN)
    painter.paint(wall.depth > 2.2, Tissue.FAT)
    painter.paint((wall.depth > wall.fat) & ~wall.cavity, Tissue.MUSCLE)
    _linea_alba(painter, trunk, wall)
    _lungs(painter, grid, wall, rng)
    _bowel(painter, grid, wall, rng)
    _back(painter, trunk, wall)
    _ribs(painter, trunk, wall)
    _organs(painter, grid, wall, lumps, rng)
    return painter.tissue, painter.labels


def _linea_alba(painter: _Painter, grid: Grid, wall: _Wall) -> None:
    """A seam of fat parts the muscles of the belly in the middle."""
    seam = (np.abs(grid.x) < 4) & (grid.y < 0) & (grid.z < 220)
    painter.paint(seam & (wall.depth > wall.fat) & ~wall.cavity, Tissue.FAT)


def _lungs(painter: _Painter, grid: Grid, wall: _Wall, rng: np.random.Generator) -> None:
    """Bases of the lungs over two domes of the diaphragm, the heart between them."""
    right = 266 - 0.0105 * ((grid.x + 66) ** 2 + 0.8 * (grid.y - 5) ** 2)
    left = 262 - 0.0105 * ((grid.x - 72) ** 2 + 0.8 * (grid.y - 5) ** 2)
    dome = np.maximum(np.maximum(right, left), 188)
    chest = wall.depth > wall.fat + 7
    # The mediastinum: narrow in front of the spine, wider at the heart.
    column = tube(grid, [(8, -95, 300), (14, -20, 300), (4, 60, 300)], [26, 34, 26])
    middle = np.minimum(column[-1:], 60) + 6 * smooth_noise(grid.shape, 40, rng) < 0
    lung = chest & (grid.z > dome + 3) & ~middle
    painter.paint(chest & (np.abs(grid.z - dome) < 3) & ~middle, Tissue.MUSCLE)
    painter.paint(lung, Tissue.LUNG)
    branches = smooth_noise(grid.shape, 17, rng) ** 2 + smooth_noise(grid.shape, 17, rng) ** 2
    painter.paint(lung & (branches < 0.035), Tissue.LUNG_VESSEL)
    painter.paint(chest & (ellipsoid(grid, (20, -40, 318), (58, 46, 50), turn_deg=25) < 1), Tissue.HEART)


def _bowel(painter: _Painter, grid: Grid, wall: _Wall, rng: np.random.Generator) -> None:
    """Loops of small bowel (curves where two noises vanish together) within a frame of colon."""
    inside = wall.depth > wall.muscle + 4
    first, second = smooth_noise(grid.shape, 27, rng), smooth_noise(grid.shape, 27, rng)
    loop = first**2 + second**2
    room = inside & (grid.z < 128 - 0.35 * grid.y) & (grid.y < 26 - 0.1 * np.abs(grid.x)) & (np.abs(grid.x) < 92)
    painter.paint(room & (loop < 0.85), Tissue.BOWEL_WALL)
    painter.paint(room & (loop < 0.5), Tissue.BOWEL)
    painter.paint(room & (loop < 0.16) & (grid.y < -35), Tissue.GAS)
    twigs = smooth_noise(grid.shape, 18, rng) ** 2 + smooth_noise(grid.shape, 18, rng) ** 2
    mesentery = inside & (painter.tissue == Tissue.FAT) & (grid.z < 190) & (grid.y < 40)
    painter.paint(mesentery & (twigs < 0.045), Tissue.VEIN)

    haustra = 3.0 * np.sin(grid.z / 5.5) + 2 * smooth_noise(grid.shape, 22, rng)
    rising = tube(grid, [(-92, 22, 12), (-97, 22, 92)], [19, 22]) + haustra
    crossing = tube(
        grid, [(-88, -22, 98), (-55, -60, 92), (0, -70, 84), (55, -64, 100), (96, -5, 140)], [17, 16, 16, 15, 14]
    )
    falling = tube(grid, [(102, 20, 145), (104, 30, 70), (94, 28, 12)], [13, 12, 12]) + haustra
    colon = np.minimum(np.minimum(rising, falling), crossing + 3 * np.sin(grid.x / 5.5))
    stool = smooth_noise(grid.shape, 14, rng)
    painter.paint(inside & (colon < 0), Tissue.BOWEL_WALL)
    painter.paint(inside & (colon < -3), Tissue.BOWEL)
    # Gas rises: it lies in front, in bubbles where there is stool.
    painter.paint(inside & (colon < -3) & (stool - grid.y / 60 > 1.35), Tissue.GAS)


def _back(painter: _Painter, grid: Grid, wall: _Wall) -> None:
    """Spine with discs, canal and processes, and the muscles beside it."""
    for side in (-1, 1):
        painter.paint(
            (ellipsoid(grid, (side * 31, 72, 150), (26, 19, 900)) < 1) & (wall.depth > wall.fat), Tissue.MUSCLE
        )
        psoas = tube(grid, [(side * 26, 48, 190), (side * 36, 44, 100), (side * 50, 26, -10)], [4, 16, 21])
        painter.paint(psoas < 0, Tissue.MUSCLE)
    level = np.mod(grid.z, 37.0)
    between = level < 8
    waist = 1 - 0.1 * np.sin(np.pi * np.clip((level - 8) / 29, 0, 1))
    body = np.sqrt((grid.x / 24) ** 2 + ((grid.y - 44) / 17.5) ** 2) / waist
    canal = np.sqrt(grid.x**2 + ((grid.y - 68) / 0.85) ** 2)
    arch = (canal < 14) & ~((level > 20) & (np.abs(grid.x) < 15) & (grid.y < 60))
    spinous = (np.abs(grid.x) < 3.6) & (grid.y > 76) & (grid.y < 95) & (level > 4) & (level < 28)
    transverse = (np.abs(grid.y - 68) < 4.2) & (np.abs(grid.x) < 36) & (level > 19) & (level < 30)
    for bone in (arch, spinous, transverse):
        painter.paint(bone, Tissue.BONE)
    painter.paint((body < 1) & ~between, Tissue.BONE)
    painter.paint((body < 0.88) & (level > 10.5) & (level < 34.5), Tissue.MARROW)
    painter.paint((body < 1.03) & between, Tissue.DISC)
    painter.paint(canal < 8.5, Tissue.CORD)


def _ribs(painter: _Painter, grid: Grid, wall: _Wall) -> None:
    """Ribs run down and forwards within the wall and end before the middle."""
    along = grid.z - 0.55 * grid.y
    band = np.abs(np.mod(along, 33.0) - 16) / 6.2
    deep = np.abs(wall.depth - (wall.fat + 5.5)) / 4.6
    across = np.sqrt(band**2 + deep**2)
    side = (np.abs(grid.x) > 48) & (along > 115)
    painter.paint(side & (across < 1), Tissue.BONE)
    painter.paint(side & (across < 0.55), Tissue.MARROW)


def _organs(painter: _Painter, grid: Grid, wall: _Wall, lumps: Field, rng: np.random.Generator) -> None:
    """The labelled organs, from the one that keeps its shape to the one that yields to all others."""
    inside = wall.depth > wall.muscle + 2

    aorta = tube(grid, [(2, 13, 62), (10, 14, 120), (13, 16, 200), (15, 22, 266)], [8.5, 10, 11, 11.5])
    for side in (-1, 1):
        painter.paint(tube(grid, [(2 + side * 4, 13, 60), (side * 44, 12, -15)], [6, 6]) < 0, Tissue.VEIN)
    cava = tube(grid, [(-20, 18, -10), (-21, 14, 130), (-26, -2, 262)], [11, 12, 13]) < 0
    painter.paint(cava, Tissue.VEIN)
    painter.organ(aorta < 0, AORTA, Tissue.AORTA)

    kidneys = []
    for label, side, height in ((RIGHT_KIDNEY, -1, 128.0), (LEFT_KIDNEY, 1, 146.0)):
        out = ellipsoid(grid, (side * 66, 38, height), (29, 27, 54), side * 35, lean=(-side * 0.16, 0.12, 0))
        out = out + 0.035 * lumps
        # The hilum: fat and vessels enter from the middle and from the front.
        sinus = ellipsoid(grid, (side * 50, 28, height), (20, 11, 26), side * 35, lean=(-side * 0.16, 0.12, 0))
        pyramid = smooth_noise(grid.shape, 13, rng)
        parenchyma = painter.organ((out < 1) & (sinus > 1) & inside, label, Tissue.CORTEX)
        painter.tissue[parenchyma & (out < 0.74) & (pyramid > -0.5)] = Tissue.MEDULLA
        vein = tube(grid, [(side * 18, 14, height), (side * 52, 28, height)], [5.5, 5])
        painter.paint((vein < 0) & (painter.tissue == Tissue.FAT), Tissue.VEIN)
        kidneys.append(out)
    clear = np.minimum(kidneys[0], kidneys[1]) > 1.1

    stomach = tube(
        grid,
        [(54, 8, 228), (60, -26, 200), (54, -52, 170), (24, -60, 148), (-14, -48, 150)],
        [27, 29, 26, 20, 13],
    )
    stomach = stomach + 2.5 * lumps
    belly = painter.organ((stomach < 0) & inside & clear, STOMACH, Tissue.STOMACH_WALL)
    lumen = belly & (stomach < -4 - smooth_noise(grid.shape, 14, rng))
    painter.tissue[lumen] = Tissue.FLUID
    painter.tissue[lumen & (grid.y < -38)] = Tissue.GAS

    pancreas = tube(grid, [(-22, -24, 136), (0, -26, 158), (34, -10, 168), (76, 12, 184)], [12, 9, 9, 8]) + 2 * lumps
    painter.paint((pancreas < 0) & (painter.tissue == Tissue.FAT), Tissue.PANCREAS)
    gallbladder = tube(grid, [(-52, -58, 128), (-40, -30, 152)], [15, 10])
    spleen = ellipsoid(grid, (95, 30, 206), (30, 50, 50), turn_deg=-10, lean=(0.1, -0.15, 0)) + 0.05 * lumps
    painter.organ((spleen < 1) & (stomach > 3) & inside & clear, SPLEEN, Tissue.SPLEEN)

    right = ellipsoid(grid, (-66, -2, 188), (70, 86, 71))
    tip = ellipsoid(grid, (-90, 2, 146), (30, 52, 56))
    left = ellipsoid(grid, (0, -52, 208), (68, 32, 36), turn_deg=8, lean=(0, -0.1, 0))
    # exp(-x²) sums make one smooth body of the three; 0.37 ≈ e^-1 keeps each where it is on its own.
    lobes = sum(np.exp(-(part**2)) for part in (right, tip, left)) + 0.03 * lumps
    fissure = (np.abs(grid.x + 22 + 0.25 * (grid.y + 60)) < 2.5) & (grid.y < -45) & (grid.z < 205)
    free = (pancreas > 1) & (aorta > 3) & (gallbladder > 0) & (stomach > 2) & clear & ~fissure
    spine = ellipsoid(grid, (4, 52, 190), (42, 47, 500)) < 1
    liver = painter.organ((lobes > 0.37) & inside & free & ~cava & ~spine, LIVER, Tissue.LIVER)
    branches = smooth_noise(grid.shape, 26, rng) ** 2 + smooth_noise(grid.shape, 26, rng) ** 2
    painter.tissue[liver & (branches < 0.07)] = Tissue.LIVER_VESSEL
    painter.paint((gallbladder < 0) & inside, Tissue.BILE)
