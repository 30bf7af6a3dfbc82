"""Lines of progress with the time left, and the run's limit of time."""

import sys
import time


class Progress:
    """Says what runs now; `budget` is the run's limit in seconds.

    `weights` are guesses of how long each group takes, in any unit; the time
    left follows from them and from the pace so far.
    """

    def __init__(self, weights, budget, stream=sys.stderr):
        self.weights = weights
        self.budget = budget
        self.stream = stream
        self.begun = time.monotonic()
        self.group_number = 0

    def elapsed(self):
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    def group(self, title):
        """Begins the next group."""
        done = sum(self.weights[: self.group_number])
        left, about = self.budget - self.elapsed(), "at most"
        if done:
            pace = self.elapsed() / done
            left, about = pace * sum(self.weights[self.group_number :]), "about"
        self.group_number += 1
        self._print(
            f"\n[{self.group_number}/{len(self.weights)}] {title} "
            f"({self.elapsed() / 60:.0f} min gone, {about} "
            f"{max(left, 0) / 60:.0f} min left)\n"
        )

    def is_late(self):
        """Whether this group has used up its share of the budget."""
        share = self.group_number / len(self.weights)
        return self.elapsed() > self.budget * share

    def is_over(self):
        """Whether the budget is spent."""
        return self.elapsed() > self.budget

    def begin(self, what):
        """Names what begins."""
        minutes, seconds = divmod(int(self.elapsed()), 60)
        self._print(f"  {minutes:3d}:{seconds:02d}  {what} ... ")

    def end(self, result):
        """Completes the line that `begin` began."""
        self._print(f"{result}\n")

    def _print(self, text):
        print(text, end="", file=self.stream, flush=True)
