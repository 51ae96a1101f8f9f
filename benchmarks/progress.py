"""A bar on a terminal, lines elsewhere."""

import sys


class Progress:
    """Steps of known number; tqdm's bar where it is installed and somebody watches."""

    def __init__(self, total, stream=sys.stderr):
        self.total, self.done, self.stream = total, 0, stream
        self.bar = self._bar() if stream.isatty() else None

    def _bar(self):
        try:
            from tqdm import tqdm
        except ImportError:
            return None
        return tqdm(total=self.total, file=self.stream, dynamic_ncols=True)

    def step(self, what, detail=""):
        """Say what comes next; only a bar shows the detail."""
        if self.bar is not None:
            self.bar.set_description(f"{what}: {detail}" if detail else what)
        elif not detail:
            print(f"[{self.done + 1}/{self.total}] {what}", file=self.stream, flush=True)

    def finish(self, line):
        """Count a step and write its line without breaking the bar."""
        self.done += 1
        if self.bar is None:
            print(line, file=self.stream, flush=True)
        else:
            self.bar.write(line, file=self.stream)
            self.bar.update()

    def close(self):
        """Leave the terminal clean."""
        if self.bar is not None:
            self.bar.close()
