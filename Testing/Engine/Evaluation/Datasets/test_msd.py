"""Decathlon: what dataset.json says, for one task or several."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import to_image

from FewShotSegmentLib import InputError


@pytest.fixture
def task(tmp_path, pair):
    def put(name="Task09_Spleen", stem="spleen", modality=None, labels=None, numbers=(10, 2), place="msd"):
        folder = f"{place}/{name}"
        training = []
        for number in numbers:
            image, label = f"./imagesTr/{stem}_{number}.nii.gz", f"./labelsTr/{stem}_{number}.nii.gz"
            pair(f"{folder}/{image}", f"{folder}/{label}", seed=number)
            training.append({"image": image, "label": label})
        content = {
            "name": stem,
            "modality": modality or {"0": "CT"},
            "labels": labels or {"0": "background", "1": stem},
            "training": training,
            "test": ["./imagesTs/x.nii.gz"],
        }
        path = tmp_path / folder / "dataset.json"
        path.write_text(json.dumps(content))
        return path

    return put


def test_one_task(cases, pair, task):
    task()
    for below in ("msd", "msd/Task09_Spleen"):
        found, notes = cases("msd", below)
        assert [(c.name, c.patient, c.modality, c.group) for c in found] == [
            ("spleen_2", "spleen_2", "ct", "msd-spleen"),
            ("spleen_10", "spleen_10", "ct", "msd-spleen"),
        ]
        assert (dict(found[0].organs), notes) == ({"spleen": 1}, [])
    image, labels = pair("a.nii.gz", "b.nii.gz", seed=2)
    scan = found[0].read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(scan.labels, labels)


def test_several_tasks_and_channels(tmp_path, cases, pair, task):
    task()
    task("Task05_Prostate", "prostate", {"0": "T2", "1": "ADC"}, {"0": "background", "1": "PZ", "2": "TZ"}, (1,))
    array, _ = pair("a.nii.gz", "b.nii.gz", seed=1)
    path = tmp_path / "msd/Task05_Prostate/imagesTr/prostate_1.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([to_image(array), to_image(array - 9)]), str(path))
    found, notes = cases("msd", "msd")
    assert [(c.name, c.modality, c.group) for c in found] == [
        ("prostate_1", "mr", "msd-prostate"),
        ("spleen_2", "ct", "msd-spleen"),
        ("spleen_10", "ct", "msd-spleen"),
    ]
    assert dict(found[0].organs) == {"PZ": 1, "TZ": 2}
    assert notes == ["msd: images of Task05_Prostate have 2 channels (T2, ADC); only the first, T2, is used."]
    np.testing.assert_array_equal(found[0].read().image, array)


def test_what_is_wrong(tmp_path, cases, task):
    path = task()
    (path.parent / "labelsTr" / "spleen_10.nii.gz").unlink()
    with pytest.raises(
        InputError, match="There is no labelsTr/spleen_10.nii.gz in .*Task09_Spleen, though its dataset.json"
    ):
        cases("msd", "msd")
    task(modality={"0": "PET"})
    with pytest.raises(InputError, match="names the modality PET; only CT and MR"):
        cases("msd", "msd")
    for text, why in (
        ("{", "cannot be read as JSON"),
        ("[]", "does not name modality"),
        ('{"labels": {}}', "does not name modality"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            cases("msd", "msd")
