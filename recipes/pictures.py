"""Pictures that the recipes write: curves, accuracy by size, predictions."""

import itertools
import pathlib

from .lazy import keras_pyconv, np, tasks

MAX_COLUMNS = 4  # of panels in one image
OF_COCO = ("val_AP", "val_AR")


def _figure(rows, columns, width, height):
    # Not pyplot's, which has a state and may want a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure, path):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


def curves(histories, path):
    """Figures of runs by epoch, to a PNG, as in the paper's Figure 7.

    Training is dashed, validation solid. `histories` are those of
    `training.Run` by the name of the run, which may be empty.
    """
    drawn = {name: _panels(rows) for name, rows in histories.items()}
    titles = list(dict.fromkeys(itertools.chain(*drawn.values())))
    columns = min(MAX_COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    figure, axes = _figure(rows, columns, 4.5 * columns, 3.6 * rows)
    for axis in axes.flat[len(titles) :]:
        axis.set_axis_off()
    for axis, title in zip(axes.flat, titles):
        for number, (run, panels) in enumerate(drawn.items()):
            for name, points in panels.get(title, {}).items():
                line = "-" if name.startswith("val_") else "--"
                marker = "." if len(points[0]) < 20 else None
                color = f"C{number}" if run else None
                label = f"{run} {name}".strip()
                style = {"marker": marker, "color": color, "label": label}
                axis.plot(*points, line, **style)
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(title)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    return _save(figure, path)


def _panels(history):
    """`loss` with `val_loss` and so on: by panel and name epochs and values."""
    names = dict.fromkeys(name for row in history for name in row)
    found = {}
    for name in names:
        # pycocotools says -1 where nothing is of that size.
        absent = (None, -1.0) if name.startswith(OF_COCO) else (None,)
        points = [
            (row["epoch"], row[name])
            for row in history
            if row.get(name) not in absent
        ]
        if points and name not in ("epoch", "step"):
            panel = found.setdefault(name.removeprefix("val_"), {})
            panel[name] = tuple(zip(*points))
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
