"""What may be said of a source cell as a whole."""

import pandas as pd


def majority_label(images: pd.DataFrame) -> "pd.Series[str]":
    """For each image the most frequent label of its source, of two as frequent the alphabetically first.

    Nearly always it is the image's own: only overlapping photographs, and mistakes, give a source two.

    Args:
        images: With the columns source and label.
    """
    counts = images.groupby(["source", "label"]).size().reset_index(name="images")
    frequent = counts.sort_values(["images", "label"], ascending=[False, True]).drop_duplicates("source")
    return images["source"].map(frequent.set_index("source")["label"])
