"""What the tests of data sets share: small files in the published layouts."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import write

from FewShotSegmentLib.evaluation.datasets import find


@pytest.fixture
def pair(tmp_path):
    """Writes an image and its labels; gives both arrays."""

    def put(image, labels, values=(1,), seed=0, **geometry):
        rng = np.random.default_rng(seed)
        array = rng.integers(-200, 300, (4, 10, 12)).astype(np.int16)
        marks = np.zeros(array.shape, np.uint16)
        for index, value in enumerate(values):
            marks[1:3, index % 10, 2:7] = value
        for path, content in ((tmp_path / image, array), (tmp_path / labels, marks)):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, content, **geometry)
        return array, marks

    return put


@pytest.fixture
def cases(tmp_path):
    """Cases and notes of a data set below tmp_path."""

    def look(name, below=""):
        notes = []
        return find(f"{name}:{tmp_path / below}", notes), notes

    return look


@pytest.fixture
def write_slice():
    """Writes one DICOM slice at a height."""

    def put(path, pixels, z, uid="1.2.826.0.1.3680043.2.1125.1", description="CINESAX", across=(0.0, 0.0), number=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(pixels)
        image.SetSpacing((1.5, 1.25))
        tags = {
            "0008|0060": "MR",
            "0008|103e": description,
            "0020|000e": uid,
            "0020|0013": str(number),
            "0020|0032": f"{-20 + across[0]}\\{-15 + across[1]}\\{z}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(path))
        writer.Execute(image)

    return put
