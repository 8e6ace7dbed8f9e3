"""Every hostile input, by what it is."""

from tests.hostile.archives import ARCHIVES
from tests.hostile.case import Case
from tests.hostile.images import IMAGES
from tests.hostile.models import MODELS
from tests.hostile.shown import SHOWN
from tests.hostile.stored import STORED
from tests.hostile.texts import TEXTS

CASES: dict[str, tuple[Case, ...]] = {
    "Archives": ARCHIVES,
    "Images": IMAGES,
    "Grid files and settings": TEXTS,
    "Weights": MODELS,
    "The store": STORED,
    "Lines of an experiment, and names in the report": SHOWN,
}
