"""How figures of models are shown to people, in lines, tables and reports.

Shares are per cent with one decimal, and what was not measured is "none".
Files for machines keep numbers as they are computed: shares between 0 and 1.
"""

import math
import re

_SHARE = re.compile(r"top\d+_error$|accuracy$|iou$|auc$|A[PR](\d+| \w+)?$")


def is_share(name) -> bool:
    """Whether logs of this name are a share of 1."""
    return bool(_SHARE.search(name.removeprefix("val_")))


def is_known(name, value) -> bool:
    """Whether it was measured; of shares pycocotools says -1 where not."""
    if value is None or math.isnan(value):
        return False
    return value >= 0 or not is_share(name)


def share(value, digits=1) -> str:
    """A share of 1 in per cent; NaN was not measured."""
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f} %"


def shown(name, value) -> str:
    """A figure as text, by its name in logs."""
    if not is_known(name, value):
        return "none"
    return share(value) if is_share(name) else f"{value:.4g}"


def words_of(name) -> str:
    """What a figure is called: `val_top1_error` is "top-1 error"."""
    name = re.sub(r"^top(\d+)_", r"top-\1 ", name.removeprefix("val_"))
    return re.sub(r"\biou\b", "IoU", name.replace("_", " "))


def line(logs) -> str:
    """Figures of an epoch, those of the validation behind the others."""
    parts = {"": [], "val_": []}
    for name, value in logs.items():
        begins = "val_" if name.startswith("val_") else ""
        parts[begins].append(f"{words_of(name)} {shown(name, value)}")
    told = ", ".join(parts[""])
    if parts["val_"]:
        told += f"; validation: {', '.join(parts['val_'])}"
    return told.removeprefix("; ")
