"""Finds the videos of a folder that training could not use.

    python -m keras_pyconv.check_videos FOLDER

Every frame of every file is decoded, in as many processes as there are
processors. What is of no use (missing, only sound, no frame or a single one)
makes the exit status 1; what is remarkable (ends early, damaged in places,
turned, of varying rate) is listed and can be trained on.
"""

import argparse
import contextlib
import csv
import pathlib
import sys

from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.video_sets import video_set, videos_of
from keras_pyconv.progress import Bar
from keras_pyconv.tasks.video import Decoders, UnreadableVideo


def _arguments(argv):
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.check_videos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="FOLDER",
        type=pathlib.Path,
        help="a folder, however deep, or a CSV as in `video_set`",
    )
    parser.add_argument("--split", default="train", help="of a CSV")
    parser.add_argument("--root", type=pathlib.Path, help="of a CSV's paths")
    parser.add_argument("--processes", type=int, metavar="N")
    parser.add_argument(
        "--timeout",
        type=float,
        default=600,
        help="seconds that one file may take (%(default)s)",
    )
    parser.add_argument("--report", help="a CSV, written as well")
    return parser, parser.parse_args(argv)


def check_videos(paths, decoders, progress):
    """Yields rows (path, verdict, remark) of the videos that are not sound.

    Args:
        paths: of files or folders of frames.
        decoders: the `Decoders`.
        progress: called with 1 after each video.
    """

    def look(path):
        try:
            _, remarks = decoders("inspect", path)
        except UnreadableVideo as error:
            return path, "useless", str(error)
        return path, "remarkable", "; ".join(remarks)

    for row in ahead(look, paths, decoders.processes):
        progress(1)
        if row[-1]:
            yield row


def main(argv=None):
    """Entry point; returns the exit status."""
    parser, options = _arguments(argv)
    if options.source.is_dir():
        paths = videos_of(options.source)
    elif options.source.suffix.lower() == ".csv":
        try:
            source, split = options.source, options.split
            paths = video_set(source, split, root=options.root).paths
        except (ValueError, FileNotFoundError) as error:
            parser.error(str(error))
    else:
        parser.error(f"{options.source} is neither a folder nor a CSV")
    if not paths:
        parser.error(f"{options.source} holds no videos")
    bar = Bar(len(paths), unit_name="video")
    limits = options.processes, options.timeout
    with contextlib.closing(Decoders(*limits)) as decoders:
        rows = list(check_videos(paths, decoders, bar.add))
    for row in rows:
        print(" | ".join(row))
    useless = sum(verdict == "useless" for _, verdict, _ in rows)
    print(
        f"{len(paths)} videos: {len(paths) - len(rows)} sound, "
        f"{len(rows) - useless} remarkable, {useless} useless."
    )
    if options.report:
        with open(options.report, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerows([("video", "verdict", "remark"), *rows])
    return int(useless > 0)


if __name__ == "__main__":
    sys.exit(main())
