"""Which images of a dataset show the same source cell, found by matching the images with one another.

Augmentation turns one photograph into dozens of images; two photographs may overlap. Both show in the same way: the
local features of one image lie in another, moved by one affine map, mirrored or not. Images are described once
(`features`), those that may belong together are found by the words they share (`similarity`), each such pair is
checked by geometry (`geometry`), and what holds together is a group (`linking`).
"""

from bloodcell.data.grouping.linking import Groups, link

__all__ = ["Groups", "link"]
