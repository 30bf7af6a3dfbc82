"""What a run tells about itself: log.csv, TensorBoard events, curves.png.

The fact a reader would get wrong: the table and the picture are written anew
from the run's history at the end of each epoch, so after a kill they hold
nothing that the run's checkpoint does not. TensorBoard's files can only grow;
steps that are computed again appear twice there, with the same values.
"""

import csv
import importlib.util
import io
import json

from keras_pyconv.writing import write_atomically

MOST_COLUMNS = 4  # of panels in the picture
# pycocotools' mark for "there is nothing of that size".
ABSENT = -1.0
# COCO's numbers, which are never below 0 otherwise; a loss may be.
ABSENT_IN = ("val_AP", "val_AR")


def table(history):
    """The epochs as CSV text, a column for every name in any of them."""
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def _points(history, name):
    """Epochs and values of one curve, without what is not there."""
    marks = (None, ABSENT) if name.startswith(ABSENT_IN) else (None,)
    rows = [row for row in history if row.get(name) not in marks]
    return [row["epoch"] for row in rows], [row[name] for row in rows]


def panels(history):
    """What is drawn together: `loss` with `val_loss` and so on.

    Returns:
        By the title of each panel its curves: name to (epochs, values).
    """
    names = dict.fromkeys(name for row in history for name in row)
    found = {}
    for name in names:
        points = _points(history, name)
        if name not in ("epoch", "step", "seconds") and points[0]:
            found.setdefault(name.removeprefix("val_"), {})[name] = points
    return found


def curves(history):
    """The epochs as a PNG picture, or None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    drawn = panels(history)
    columns = min(MOST_COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    width, height = 4.5 * columns, 3.6 * rows
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    # Matplotlib's own layouts draw everything twice.
    figure.subplots_adjust(
        left=0.6 / width,
        right=1 - 0.2 / width,
        bottom=0.5 / height,
        top=1 - 0.4 / height,
        hspace=0.36,
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(drawn) :]:
        axis.set_axis_off()
    for axis, (panel, lines) in zip(axes, drawn.items()):
        for name, (epochs, values) in lines.items():
            axis.plot(
                epochs,
                values,
                "-" if name.startswith("val_") else "--",
                marker="." if len(epochs) < 20 else None,
                label=name,
            )
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(panel)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    file = io.BytesIO()
    figure.savefig(file, dpi=100, format="png")
    return file.getvalue()


class Logs:
    """Writes the logs of a run into its folder.

    Args:
        folder: the run's folder.
        constants: shown in TensorBoard as text.
        say: function of a string.
    """

    def __init__(self, folder, constants, say=print):
        import tensorflow as tf

        self._folder, self._say = folder, say
        self._summary, self._events = tf.summary, None
        # TensorFlow's summaries need it, and from 2.21 on do not require it.
        if importlib.util.find_spec("tensorboard") is None:
            say("tensorboard is not installed: no logs for it.")
            return
        self._events = tf.summary.create_file_writer(str(folder / "logs"))
        with self._events.as_default(step=0):
            text = json.dumps(constants, indent=2)
            tf.summary.text("constants", f"```\n{text}\n```")

    def scalars(self, step, values):
        """One point for each value in TensorBoard."""
        if self._events is None:
            return
        with self._events.as_default(step=step):
            for name, value in values.items():
                self._summary.scalar(name, value)

    def epoch(self, history):
        """After an epoch: the table, the picture, and its points."""
        self.rewrite(history)
        row = history[-1]
        values = {k: v for k, v in row.items() if k not in ("epoch", "step")}
        self.scalars(row["step"], {f"epoch/{k}": v for k, v in values.items()})
        if self._events is not None:
            self._events.flush()

    def rewrite(self, history):
        """The table and the picture."""
        write_atomically(self._folder / "log.csv", table(history))
        picture = curves(history)
        if picture is None:
            self._say("matplotlib is not installed: no curves.png.")
        else:
            write_atomically(self._folder / "curves.png", picture)

    def close(self):
        if self._events is not None:
            self._events.close()
