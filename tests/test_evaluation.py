import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from bloodcell.evaluation import predictions_table, probability_column, score

LABELS = ("A", "B", "C")


def predictions() -> pd.DataFrame:
    manifest = pd.DataFrame(
        {
            "path": list("uvwxyz"),
            "sha256": list("123456"),
            "source": ["s1", "s1", "s2", "s3", "s4", "s5"],
            "label": ["A", "A", "B", "C", "A", "B"],
        }
    )
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2], [1, 0, 0], [0, 1, 0]], dtype=np.float32
    )
    split = pd.Series(["test", "test", "test", "test", "train", "train"])
    return predictions_table(manifest, split, probabilities, LABELS)


def test_the_table_names_the_class_called_and_every_probability():
    table = predictions()
    assert list(table.columns) == ["path", "sha256", "source", "label", "split", "predicted", "p_A", "p_B", "p_C"]
    assert table["predicted"].tolist() == ["A", "B", "B", "A", "A", "B"]


def test_metrics_by_hand():
    test = score(predictions(), LABELS)["test"]
    assert (test.images, test.sources) == (4, 3)
    assert test.accuracy == 0.5
    assert test.loss == pytest.approx(-np.mean(np.log([0.8, 0.2, 0.6, 0.2])), rel=1e-6)
    assert test.balanced_accuracy == pytest.approx((0.5 + 1 + 0) / 3)
    assert test.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    a, b, c = test.classes
    assert (a.label, a.images, a.precision, a.recall, a.f1) == ("A", 2, 0.5, 0.5, 0.5)
    assert (b.precision, b.recall) == (0.5, 1.0)
    assert (c.images, c.precision, c.recall, c.f1) == (1, 0.0, 0.0, 0.0)
    assert test.macro_f1 == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_splits_without_images_are_left_out():
    assert list(score(predictions(), LABELS)) == ["train", "test"]
    assert score(predictions(), LABELS)["train"].accuracy == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_those_of_scikit_learn(seed):
    rng, images = np.random.default_rng(seed), 40
    manifest = pd.DataFrame(
        {
            "path": range(images),
            "sha256": range(images),
            "source": range(images),
            "label": rng.choice(LABELS[:2], images),
        }
    )  # of class C there is no image, though one may be called so
    probabilities = rng.dirichlet(np.full(3, 0.1), images).astype(np.float32)
    probabilities[0] = np.eye(3)[int(manifest["label"][0] == "A")]  # sure, and wrong
    table = predictions_table(manifest, pd.Series(["test"] * images), probabilities, LABELS)
    test = score(table, LABELS)["test"]
    true, called = table["label"], table["predicted"]
    wanted = precision_recall_fscore_support(true, called, labels=LABELS, zero_division=0.0)
    found = [(own.precision, own.recall, own.f1, own.images) for own in test.classes]
    np.testing.assert_allclose(np.transpose(found), wanted)
    assert test.confusion == tuple(map(tuple, confusion_matrix(true, called, labels=LABELS).tolist()))
    columns = table[[probability_column(label) for label in LABELS]].to_numpy(float)
    assert test.loss == pytest.approx(log_loss(true, columns / columns.sum(axis=1, keepdims=True), labels=LABELS))
