"""CSV lists of files and their labels, for the sets of images and videos."""

import csv
import io

from keras_pyconv.datasets.sets import refuse
from keras_pyconv.datasets.splits import split_named
from keras_pyconv.reading import is_text, read_text, short

_SPLITS = {"validate": "validation"}  # Kinetics' own word for it
_DIGITS = 7  # too many for the number of a class


def read(path, files, rule="path and label"):
    """Columns and rows (line, values by column) of a CSV with a header.

    It must have a column `label`, and all of one of `files`, sets of columns.
    """
    # A file's name may hold what `str.splitlines` takes for an end of line.
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(text, skipinitialspace=True, strict=True)
    columns, rows, wrong = [], [], []
    try:
        columns = [name.strip() for name in next(reader, [])]
        for line in filter(None, reader):
            # A space at the end would make another class.
            values = [value.strip() for value in line]
            rows.append((reader.line_num, dict(zip(columns, values))))
            if len(values) != len(columns):
                wrong.append(f"line {reader.line_num} has {len(values)}")
    except csv.Error as error:
        wrong.append(f"line {reader.line_num}: {error}")
    refuse(
        path,
        wrong,
        f"of its lines cannot be read as the {len(columns)} columns of "
        "the first",
        "Put values that hold a comma or a quote in quotes.",
    )
    known = set(columns)
    good = any({"label", *names} <= known for names in files)
    if not good or len(known) < len(columns):
        raise ValueError(
            f"{path} must start with a header line that names each column "
            f"once: {rule}. Received: {short(sorted(columns))}"
        )
    near = [name for name in columns if name.lower() in ("split", "splits")]
    if near and "split" not in near:
        raise ValueError(
            f"{path} has a column {near[0]!r}: name it split if it says what "
            "to train and to validate on, or something else if it does not."
        )
    return columns, rows


def check(path, rows, names, what, advice="", is_wrong=None):
    """Refuses rows in which the text of a column is missing.

    `is_wrong` says of a row by itself which of its columns are wrong.
    """
    wrong = []
    for line, row in rows:
        bad = [name for name in names if not is_text(row[name])]
        bad += is_wrong(row) if is_wrong else []
        wrong += [f"line {line}: {n} is {short(row[n])}" for n in bad[:1]]
    told = f"Each needs {', '.join(names)}{advice}."
    refuse(path, wrong, f"of its lines do not name {what}", told)


def classes_of(path, rows):
    """All classes of rows by their `labels`, tuples, which may change.

    Names that are all numbers are those of classes, and stay what they are.
    """
    classes = sorted({one for _, row in rows for one in row["labels"]})
    if not classes or not all(x.isascii() and x.isdigit() for x in classes):
        return classes
    wrong = [
        f"line {line}: {short(one)}"
        for line, row in rows
        for one in row["labels"]
        if len(one.lstrip("0")) >= _DIGITS
    ]
    refuse(
        path,
        wrong,
        "of its lines have a label that is no number of a class",
        f"Numbers of classes are below {10 ** (_DIGITS - 1):,}; or give names.",
    )
    for _, row in rows:
        row["labels"] = tuple(str(int(one)) for one in row["labels"])
    return [str(number) for number in range(max(map(int, classes)) + 1)]


def of_split(path, columns, rows, split):
    """The split's name and rows; all of a CSV without a column `split`."""
    if "split" not in columns:
        return split, rows
    for _, row in rows:
        row["split"] = _SPLITS.get(row["split"], row["split"])
    known = sorted({row["split"] for _, row in rows})
    split = split_named(split, known, path)
    return split, [(line, row) for line, row in rows if row["split"] == split]


def check_repeated(path, rows, name_of, what, advice):
    """Refuses a file with two labels; gives the rows that name a new file."""
    seen, wrong, new = {}, [], []
    for line, row in rows:
        name, labels = name_of(row), set(row["labels"])
        if name not in seen:
            seen[name] = line, labels, row["label"]
            new.append((line, row))
        first, before, label = seen[name]
        if before != labels:
            wrong.append(
                f"{short(name)} is {short(label)} in line {first} and "
                f"{short(row['label'])} in line {line}"
            )
    refuse(
        path,
        wrong,
        f"of its lines give {what} another label than before",
        advice,
    )
    return new
