"""Volumes with supervoxels, made here, and images in a folder."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from training_cases import make_volume


@pytest.fixture(scope="session")
def volumes():
    return [make_volume(f"case {n}", n) for n in range(3)]


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number, modality in enumerate(("MR", "MR", "CT")):
        z, y, x = np.meshgrid(np.arange(8), np.arange(48), np.arange(48), indexing="ij")
        body = ((y - 24) ** 2 + (x - 24) ** 2) < 20**2
        organ = ((y - 20) ** 2 + (x - 20) ** 2 + (3 * (z - 4)) ** 2) < 10**2
        array = 100.0 * body + 80 * organ + 4 * rng.standard_normal(body.shape)
        image = sitk.GetImageFromArray((array - (100 if modality == "CT" else 0)).astype(np.float32))
        image.SetSpacing((2.0, 2.0, 5.0))
        sitk.WriteImage(image, str(folder / f"case{number}_image.nii.gz"))
    cases = [{"case": f"case{number}", "modality": m} for number, m in enumerate(("MR", "MR", "CT"))]
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder
