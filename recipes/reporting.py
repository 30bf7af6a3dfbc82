"""The report that recipes of evaluation write with `--report`."""

from . import command_line
from .lazy import keras_pyconv, np, tasks, tf

_FRAMES = 3  # of a video that are shown


def require(settings, also=False):
    """Refuses a report without what draws and counts, before the work."""
    if settings.report.wanted or also:
        for package in ("matplotlib", "sklearn"):
            command_line.require(package, extra="recipes")


def write(report, settings, part=""):
    """Writes a report to the folder of the settings, or a part of it."""
    folder = settings.report.folder or settings.run.workdir / "report"
    print(f"Report: {report.write(folder / part)}")


def regions(settings, classes):
    """What counts the report of masks where it is wanted and there are any."""
    if settings.report.wanted and not settings.unlabelled:
        return keras_pyconv.reports.Regions(classes)
    return None


class Scores:
    """The scores of all images or videos, and of videos the worst frames."""

    def __init__(self):
        self._scores, self._real = [], []
        self._names, self.labels = [], []
        self._worst = keras_pyconv.reports.report.Worst()

    def add(self, scores, real):
        """Keeps those of a batch that are `real`, of images that were read."""
        self._scores.append(scores[real])
        self._real.append(real)

    def add_video(self, name, views, label, scores):
        """Keeps those of a video, and frames if it is among the worst."""
        scores = np.nan_to_num(scores)
        self._scores.append(scores[None])
        self._names.append(name)
        self.labels.append(label)
        if scores.argmax() == label:
            return
        places = np.linspace(0, views.shape[1] - 1, _FRAMES).astype(int)
        strip = np.concatenate(views[0, places], axis=1)
        self._worst.add(scores.max(), lambda: (name, strip))

    def report(self, labels, examples, title, threshold=None):
        """The `Report`, with sizes where the examples have them.

        A threshold is that of several labels an image.
        """
        scores = np.concatenate(self._scores).astype("float32")
        scores = np.nan_to_num(scores)
        # A file of Keras may end in logits.
        if scores.min() < 0 or scores.max() > 1:
            scores = tf.nn.softmax(scores).numpy()
        names, sizes = about(examples)
        if self._real:
            real = np.concatenate(self._real)[: len(names)]
            names = [name for name, kept in zip(names, real) if kept]
        else:
            names = self._names
        frames = dict(self._worst)

        def images(places):
            wanted = [names[place] for place in places]
            if not self._real:
                return [frames.get(name) for name in wanted]
            return look_up(examples, "name", wanted)

        told = {"names": names, "images": images, "title": title}
        if threshold is not None:
            return keras_pyconv.reports.multi_label_report(
                labels, scores, examples.classes, threshold=threshold, **told
            )
        return keras_pyconv.reports.classification_report(
            np.array(labels),
            scores,
            examples.classes,
            sizes=sizes and [sizes[name] for name in names],
            **told,
        )


def of_boxes(truth, found, scenes, score):
    """The `Report` of a detector."""
    return keras_pyconv.reports.detection_report(
        truth,
        found,
        scenes.classes,
        score=score,
        images=lambda ids: look_up(scenes, "id", ids),
        title=scenes.name,
    )


def about(examples):
    """Names of all examples, and `{name: size}` where they have sizes."""
    if examples.examples is None:
        return [], None
    known = examples.examples(None)
    keys = [key for key in ("name", "size") if key in known.element_spec]
    rows = known.map(lambda example: {key: example[key] for key in keys})
    rows = list(rows.as_numpy_iterator())
    names = [row["name"].decode(errors="replace") for row in rows]
    if "size" not in keys:
        return names, None
    return names, {n: float(row["size"].mean()) for n, row in zip(names, rows)}


def look_up(examples, key, wanted):
    """The images whose name or id is wanted, read again in one pass."""
    every, found = examples.examples(None), {}
    known = tf.constant(wanted, every.element_spec[key].dtype)
    chosen = every.filter(
        lambda example: tf.reduce_any(tf.equal(example[key], known))
    )
    for example in chosen:
        source, own = example["picture"].numpy(), example[key].numpy()
        image = tasks.image.read_image(examples.source(source), exif=False)
        if hasattr(examples, "turned"):
            image = np.asarray(examples.turned(image, example))
        own = own.decode(errors="replace") if isinstance(own, bytes) else own
        found[own] = image
    return [found.get(one) for one in wanted]
