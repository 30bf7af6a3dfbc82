"""Pictures that the recipes write: curves, accuracy by size, predictions."""

import pathlib
import re

from .lazy import figures, keras_pyconv, np, tasks, writing

MAX_COLUMNS = 4  # of panels in one image


def _figure(rows, columns, width, height):
    # Not pyplot's, which has a state and may want a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure, path):
    path = pathlib.Path(path)
    writing.make_folder(path.parent)
    figure.savefig(path, dpi=120)
    return path


# Panels of curves: a title, and the figures that stand in it. What else a run
# logs is in its log.csv.
PANELS = {
    "loss": r"loss",
    "error, %": r"top\d+_error",
    "accuracy, %": r"(\w+_)?(accuracy|iou)",
    "AP, %": r"AP(50|75)?",
    "AP by size of object, %": r"AP [SML]",
    "learning rate": r"learning_rate.*",
}


def curves(histories, path):
    """Figures of runs by epoch, to a PNG, as in the paper's Figure 7.

    Training is dashed, validation solid, of one figure in one colour.
    `histories` are those of `training.Run` by the name of the run, which may
    be empty.
    """
    drawn = {}
    for run, history in histories.items():
        for title, lines in _panels(history).items():
            for name, points in lines.items():
                drawn.setdefault(title, {})[run, name] = points
    columns = min(MAX_COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, axes = _figure(rows, columns, 4.5 * columns, 4 * rows)
    for axis in axes.flat[len(drawn) :]:
        axis.set_axis_off()
    last = max(row["epoch"] for one in histories.values() for row in one)
    for axis, (title, lines) in zip(axes.flat, drawn.items()):
        _draw_lines(axis, lines)
        axis.set_title(title, loc="left")
        axis.set_xlabel("epoch")
        axis.set_xlim(0.5, last + 0.5)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.grid(alpha=0.3)
        if title != "loss":
            axis.set_ylim(bottom=0)
    return _save(figure, path)


def _draw_lines(axis, lines):
    """The lines of a panel, with a legend under it."""
    known = {}
    for (run, name), points in lines.items():
        figure = name.removeprefix("val_")
        colour = f"C{known.setdefault((run, figure), len(known))}"
        is_judged = name.startswith("val_")
        said = [run, figures.words_of(figure)]
        if "learning_rate" not in name:
            said.append("validation" if is_judged else "training")
        axis.plot(
            *points,
            "-" if is_judged else "--",
            marker="o" if len(points[0]) < 20 else None,
            markersize=4,
            markerfacecolor=colour if is_judged else "white",
            color=colour,
            label=", ".join(filter(None, said)),
        )
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
    axis.legend(fontsize="small", frameon=False, **place)


def _panels(history):
    """`{title: {name: (epochs, values)}}`, shares in per cent."""
    found = {}
    names = dict.fromkeys(name for row in history for name in row)
    for title, pattern in PANELS.items():
        for name in names:
            if not re.fullmatch(f"(val_)?{pattern}", name):
                continue
            times = 100 if figures.is_share(name) else 1
            points = [
                (row["epoch"], times * row[name])
                for row in history
                if figures.is_known(name, row.get(name))
            ]
            if points:
                found.setdefault(title, {})[name] = tuple(zip(*points))
    return found


def accuracy_by_size(rows, sizes, path):
    """Bars of accuracy by size of object, a colour per network, to a PNG."""
    figure, axes = _figure(1, 1, 6, 3.6)
    axis = axes[0, 0]
    width, places = 0.8 / len(rows), np.arange(len(sizes) + 1)
    for number, row in enumerate(rows):
        shares = [100 * row[group] for group in (*sizes, "accuracy")]
        bars = axis.bar(
            places + number * width, shares, width, label=row["network"]
        )
        axis.bar_label(bars, fmt="%.1f", fontsize="small")
    axis.set_xticks(places + 0.4 - width / 2, [*sizes, "all"])
    axis.set_ylabel("test accuracy, %")
    axis.set_ylim(0, 108)
    axis.legend(loc="lower right", fontsize="small")
    return _save(figure, path)


def prediction_grid(images, labels, predictions, path, columns=8):
    """Images with the classes (N,) that each network said, to a PNG."""
    rows = -(-len(images) // columns)
    figure, axes = _figure(rows, columns, 1.35 * columns, 1.75 * rows)
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images)):
        axis.imshow(image)
        for line, (network, classes) in enumerate(predictions.items()):
            right = classes[index] == labels[index]
            axis.text(
                0,
                1.02 + 0.13 * (len(predictions) - 1 - line),
                f"{network[:6]} {classes[index]}",
                color="black" if right else "red",
                transform=axis.transAxes,
                fontsize=8,
            )
    said = "What each network reads; wrong answers are red"
    figure.suptitle(said, fontsize=10)
    return _save(figure, path)


def confusion(counts, classes, path):
    """Who is taken for whom, to a PNG: the darker, the more of a row."""
    drawn = keras_pyconv.reports.figures.confusion(counts, classes)
    return _save(drawn, path)


def label_maps(rows, class_names, path):
    """Images beside label maps, as in Figures 3 and 4 of the supplement.

    `rows` have the same keys: label maps (height, width), such as `truth`, and
    images, uint8 (height, width, 3), which are shown as they are.
    """
    from matplotlib.patches import Patch

    colors = tasks.segmentation.palette(len(class_names))
    columns = list(rows[0])
    figure, axes = _figure(
        len(rows), len(columns), 1.9 * len(columns), 1.8 * len(rows) + 0.6
    )
    seen = set()
    for line, row in zip(axes, rows):
        for axis, name in zip(line, columns):
            shown = np.asarray(row[name])
            if shown.ndim == 2:
                seen |= set(np.unique(shown).tolist())
                shown = tasks.segmentation.color_labels(shown, colors)
            axis.imshow(shown)
            if row is rows[0]:
                axis.set_title(name, fontsize=9)
    for axis in axes.flat:
        axis.axis("off")
    handles = [
        Patch(color=colors[number] / 255, label=class_names[number])
        for number in sorted(seen)
        if number < len(class_names)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=max(4, 2 * len(columns)),
        fontsize=7,
        frameon=False,
    )
    return _save(figure, path)


def augmentation_sheet(rows, path):
    """Rows of examples and what was done to them, to a PNG.

    An example is a dictionary of an image in [0, 255], `boxes` as fractions or
    a `mask`, whose class 0 is bare and whose ignored pixels are white.
    """
    from matplotlib.patches import Rectangle

    width, height = len(rows[0]), len(rows)
    figure, axes = _figure(height, width, 1.9 * width, 2.2 * height)
    for axis, (example, words) in zip(axes.flat, sum(map(list, rows), [])):
        image = np.clip(example["image"], 0, 255).astype("uint8")
        if "mask" in example:
            mask = np.array(example["mask"])
            outside = mask == tasks.segmentation.IGNORED
            mask[outside] = 0
            image = tasks.segmentation.overlay(image, mask, ignored=0)
            image[outside] = 255
        axis.imshow(image)
        sides = np.array([*image.shape[:2], *image.shape[:2]])
        for box in example.get("boxes", ()):
            top, left, bottom, right = np.asarray(box) * sides - 0.5
            axis.add_patch(
                Rectangle(
                    (left, top),
                    *(right - left, bottom - top),
                    fill=False,
                    color="yellow",
                )
            )
        axis.set_title("\n".join(words) or "unchanged", fontsize=8)
        axis.axis("off")
    return _save(figure, path)
