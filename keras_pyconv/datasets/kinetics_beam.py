"""The Kinetics builder on the workers of Apache Beam."""

import apache_beam as beam

from keras_pyconv.datasets.kinetics import decoded, write_report
from keras_pyconv.tasks.video import Decoders

_AT_ONCE = 32  # videos that a worker decodes with its processes
_SPLITS = 2
_EXAMPLES, _NOTES = "examples", "notes"


class Videos(beam.PTransform):
    """The examples of one split; the last split writes the report of all.

    `notes` is one list for all splits, of what each has to report.
    """

    def __init__(self, rows, root, processes, notes, report):
        super().__init__()
        steps = range(0, len(rows), _AT_ONCE)
        self._parts = [rows[begin : begin + _AT_ONCE] for begin in steps]
        self._decode = _Decode(str(root), processes)
        self._notes, self._report = notes, report

    def expand(self, pipeline):
        found = (
            pipeline
            | beam.Create(self._parts)
            | beam.Reshuffle()
            | beam.ParDo(self._decode).with_outputs(_NOTES, main=_EXAMPLES)
        )
        self._notes.append(found[_NOTES])
        if len(self._notes) == _SPLITS:
            _ = (
                tuple(self._notes)
                | beam.Flatten()
                | beam.combiners.ToList()
                | beam.Map(sorted)
                | beam.Map(write_report, self._report)
            )
        return found[_EXAMPLES]


class _Decode(beam.DoFn):
    """Of rows, names and examples; beside them what is to be reported."""

    def __init__(self, root, processes):
        self._root, self._processes = root, processes

    def setup(self):
        self._decoders = Decoders(self._processes)

    def process(self, rows):
        for name, example, notes in decoded(rows, self._root, self._decoders):
            for note in notes:
                yield beam.pvalue.TaggedOutput(_NOTES, note)
            if example is not None:
                yield name, example

    def teardown(self):
        self._decoders.close()
