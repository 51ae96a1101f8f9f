"""Tables of words and numbers, as text and as HTML."""

from html import escape

COLUMNS = ("coefficient", "std. error", "z", "p", "lower", "upper", "odds ratio", "lower", "upper")


def as_text(header, rows, n_names):
    """Lines of a table; its first `n_names` columns are words, the others numbers.

    Parameters
    ----------
    header : sequence of str
    rows : list of sequence of str
    n_names : int

    Returns
    -------
    list of str
    """
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    align = [str.ljust] * n_names + [str.rjust] * (len(header) - n_names)
    cells = ([to(cell, width) for to, cell, width in zip(align, row, widths, strict=True)] for row in table)
    return ["  ".join(row).rstrip() for row in cells]


def as_html(header, rows):
    """Return a table with a header as HTML, names escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Table:
    """Estimates with their uncertainty; prints as text, shows as HTML.

    Attributes
    ----------
    outputs, names : list of str
        What the blocks of rows, and the rows of a block, are.
    values : ndarray of shape (n_outputs, n_names, 9)
        The columns: coefficient, standard error, z, p, interval (two), odds ratio, its interval (two).
    note : str
        What covariance it is.
    """

    def __init__(self, outputs, names, values, note):
        self.outputs, self.names, self.values, self.note = outputs, names, values, note

    def _rows(self, k):
        return [(name, *(f"{value:.5g}" for value in row)) for name, row in zip(self.names, self.values[k], strict=True)]

    def __str__(self):
        lines = []
        for k, output in enumerate(self.outputs):
            lines += [output, *as_text(("", *COLUMNS), self._rows(k), n_names=1), ""]
        return "\n".join([*lines, self.note])

    __repr__ = __str__

    def _repr_html_(self):
        blocks = (as_html((output, *COLUMNS), self._rows(k)) for k, output in enumerate(self.outputs))
        return f'<div class="sklearn-xent-table">{"".join(blocks)}<p>{escape(self.note)}</p></div>'

    def to_frame(self):
        """Return a pandas DataFrame, one row a parameter, indexed by output and name."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        columns = [*COLUMNS[:6], "odds ratio", "odds lower", "odds upper"]
        index = pd.MultiIndex.from_product([self.outputs, self.names], names=["output", "name"])
        return pd.DataFrame(self.values.reshape(len(index), -1), index=index, columns=columns)
