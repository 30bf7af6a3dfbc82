"""Lines of progress with the time left, and the run's limit of time."""

import sys
import time


class Progress:
    """Says what runs now; `budget` is the run's limit in seconds.

    The time left is that of the rounds still to come at the pace of the
    groups so far; a group that is late keeps at least two rounds.
    """

    def __init__(self, groups, budget, stream=sys.stderr):
        self.groups = groups
        self.budget = budget
        self.stream = stream
        self.begun = time.monotonic()
        self.group_number = 0

    def elapsed(self):
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    def group(self, title):
        """Begins the next group."""
        self.group_number += 1
        done = self.group_number - 1
        left = self.budget - self.elapsed()
        if done:
            left = min(left, self.elapsed() / done * (self.groups - done))
        print(
            f"\n[{self.group_number}/{self.groups}] {title} "
            f"({self.elapsed() / 60:.0f} min gone, "
            f"{'about' if done else 'at most'} "
            f"{max(left, 0) / 60:.0f} min left)",
            file=self.stream,
        )

    def is_late(self):
        """Whether this group has used up its share of the budget."""
        return self.elapsed() > self.budget * self.group_number / self.groups

    def is_over(self):
        """Whether the budget is spent."""
        return self.elapsed() > self.budget

    def begin(self, what):
        """Names what begins."""
        minutes, seconds = divmod(int(self.elapsed()), 60)
        print(
            f"  {minutes:3d}:{seconds:02d}  {what} ...",
            end=" ",
            flush=True,
            file=self.stream,
        )

    def end(self, result):
        """Completes the line that `begin` began."""
        print(result, file=self.stream, flush=True)
