"""Draw the README's pictures by running its code: ``python docs/draw.py`` (extra `plot`)."""

import pathlib
import re

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

for code, image in re.findall(r"^```python\n((?:(?!```).*\n)+)```\n\n!\[[^]]*\]\((docs/images/[\w-]+\.png)\)", README, re.M):
    pyplot.close("all")
    exec(compile(code, "README.md", "exec"), {})
    pyplot.gcf().savefig(ROOT / image, dpi=110)
    print(image)
