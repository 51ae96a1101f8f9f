"""Homes of the data matrix: what a solver may ask of X, answered for dense and sparse storage.

Products, Gram matrices and moments are sums over rows, so that they need neither random access nor a second copy of X; `rows`
(samples) and `columns` (working sets) copy what they take.
"""

from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from scipy import sparse

from sklearn_xent._home import READ, Design
from sklearn_xent._linalg import added_up
from sklearn_xent._pairs import Pairs, both_sides
from sklearn_xent._sparse import cut, squared, transposed
from sklearn_xent._threads import BLOCK_ELEMENTS, in_threads, row_blocks

MOST_JOINED = 2**15  # rows: what is made of so many, for one output, stays in a level-2 cache
MOST_UNCUT = 100_000  # stored values: a product with them takes 0.17 milliseconds by the model of costs, too little to share
CROWDED = 6  # rows that hold so large a part of the columns, a sixth, are better dense in a Gram matrix
PAIR, PAIR_WEIGHED = 1.0, 0.7  # nanoseconds: a pair of a row's numbers made (or kept), and added to a Gram matrix
TAKEN = 3.0  # nanoseconds: a number of a column that is copied
FILL = 1.2  # nanoseconds: a number of a row that is made dense

# Products are np.dot, not @: with an output of few numbers, `matmul` keeps the interpreter's lock, and threads take turns.


class Dense(Design):
    """X as a NumPy array of any float type, order and stride; converted by row blocks where BLAS could not take it."""

    product_cost = 0.05  # nanoseconds a multiplication, see `_costs`
    copied_column = 20  # cost of copying a column and multiplying it, in columns that are multiplied where they lie
    usual_products = 30  # passes of a Newton step by an operator: dense columns often are correlated

    def __init__(self, X, meter=None, share=1.0, origin=None):
        super().__init__(X.shape, X.size, meter, share)
        self.X = X
        contiguous = X.flags.c_contiguous or X.flags.f_contiguous
        self._ready = X.dtype == np.float64 and contiguous and X.flags.aligned and origin is None
        self._moved, self.origin = origin is not None, np.zeros(self.shape[1]) if origin is None else origin

    def spare_columns(self, n_outputs):
        """How many columns a copy may have: with what a fit keeps for each output of a row, five float64, a sixth of X."""
        return self.shape[1] / 6 - 5 * 8 * n_outputs / self.X.itemsize

    def about(self, origin):
        """Return the design of ``X - origin``, subtracted block by block where X is read."""
        return Dense(self.X, self.meter, self.share, self.origin + origin)

    def _block(self, rows):
        block = np.asarray(self.X[rows], dtype=np.float64)
        return block - self.origin if self._moved else block

    def rows(self, rows):
        """Some rows, as a design."""
        X = self._taken(rows) if self.X.flags.c_contiguous else self.X[rows]  # `take` would copy all of X
        return Dense(X, self.meter, self.share * len(rows) / max(self.shape[0], 1), self.origin if self._moved else None)

    def _taken(self, rows):
        out = np.empty((len(rows), self.shape[1]), dtype=self.X.dtype)

        def of_blocks(blocks):
            for block in blocks:  # nothing is out of bounds: to `clip` needs no buffer
                np.take(self.X, rows[block], axis=0, out=out[block], mode="clip")

        in_threads(of_blocks, row_blocks(*out.shape), out.size * 2 * READ)
        return out

    def columns(self, columns):
        """Some columns, as a design."""
        origin = self.origin[columns] if self._moved else None
        X = self._columns_taken(columns) if self.X.flags.c_contiguous else self.X[:, columns]
        return Dense(X, self.meter, self.share * len(columns) / max(self.shape[1], 1), origin)

    def _columns_taken(self, columns):
        out = np.empty((self.shape[0], len(columns)), dtype=self.X.dtype)

        def of_blocks(blocks):
            for rows in blocks:
                np.take(self.X[rows], columns, axis=1, out=out[rows], mode="clip")

        in_threads(of_blocks, row_blocks(*self.shape), out.size * TAKEN)
        return out

    def _joined(self, blocks):
        """Neighbouring blocks as one, where BLAS takes them as they lie: its products are best left long."""
        if not self._ready:
            return blocks
        many = max(1, MOST_JOINED // (blocks[0].stop - blocks[0].start))
        return [slice(some[0].start, some[-1].stop) for some in (blocks[k : k + many] for k in range(0, len(blocks), many))]

    def _over_parts(self, of_parts, n_outputs):
        def of_blocks(blocks):
            return of_parts((rows, self._block(rows)) for rows in self._joined(blocks))

        return in_threads(of_blocks, row_blocks(*self.shape), self.size * self.per_number(n_outputs))

    @staticmethod
    def _product(part, W, b, out):
        _dense_product(part, W, out)
        out += b

    @staticmethod
    def _transposed_product(part, R):
        """For one vector, as `_dense_product`."""
        if _middling(part, R.shape[1]):
            return np.einsum("i,ij->j", R[:, 0], part)[None]
        return np.dot(R.T, part) if part.flags.c_contiguous else R.T @ part

    def row_products(self, centre, scale):
        """Inner products of the centred, scaled rows, shape (n_samples, n_samples); for few rows with many columns."""
        self.meter.read(self.share)

        def of_blocks(blocks):
            products = np.zeros((self.shape[0], self.shape[0]))
            for columns in blocks:
                block = np.asarray(self.X[:, columns], dtype=np.float64) - (self.origin + centre)[columns]
                block *= scale[columns]
                products += np.dot(block, block.T)
            return products

        blocks = row_blocks(self.shape[1], self.shape[0], max(BLOCK_ELEMENTS, 512 * self.shape[0]))
        return added_up(in_threads(of_blocks, blocks, self.size * self.shape[0] * self.gram_cost))

    def dense_rows(self, rows, centre, scale):
        """Some rows (a slice), centred and scaled, as an array."""
        return _in_units(self._block(rows), centre, scale)

    def moments_tdot(self, R, centre):
        """``R.T @ (X - centre)`` and ``R.T @ (X - centre)²``, both of shape (n_outputs, n_features)."""
        self.meter.read(self.share)
        scale = np.ones(self.shape[1])

        def of_block(rows):
            block, these = self.dense_rows(rows, centre, scale), R[rows].T
            return np.stack([np.dot(these, block), np.dot(these, np.square(block))])

        def of_blocks(blocks):
            return added_up(map(of_block, blocks))

        return added_up(in_threads(of_blocks, row_blocks(*self.shape), self.size * self.per_number(2 * R.shape[1])))

    def row_squares(self, centre, scale):
        """Yield slices of rows, and the squared norms of these rows, centred and scaled."""
        self.meter.read(self.share)
        for rows in row_blocks(*self.shape):
            block = self.dense_rows(rows, centre, scale)
            yield rows, np.einsum("ij,ij->i", block, block)

    def _typical(self):
        rows = self._block(slice(0, None, max(1, self.shape[0] // 8)))
        total, squares = rows.sum(axis=0), np.einsum("ij,ij->j", rows, rows)
        far = np.square(total) > 0.8 * len(rows) * squares  # the mean is more than two standard deviations from zero
        return total / len(rows) if far.any() else np.zeros_like(total)

    def _sums_about(self, guess, weights):
        shifted = guess.any()

        def of_blocks(blocks):
            sums, room = np.zeros((2, self.shape[1])), None
            for rows in blocks:
                block = self._block(rows)
                if room is None or len(room) != len(block):
                    room = np.empty_like(block)
                centred = np.subtract(block, guess, out=room) if shifted else block
                sums[0] += np.dot(weights[rows], centred)
                sums[1] += np.dot(weights[rows], np.square(centred, out=room))
            return sums

        return added_up(in_threads(of_blocks, row_blocks(*self.shape), self.size * self.per_number(2)))


def _in_units(block, centre, scale):
    """Rows, centred and scaled, where that changes anything."""
    block = block - centre if centre.any() else block
    return block * scale if (scale != 1).any() else block


def _dense_product(block, W, out):
    """Write ``block @ W.T`` into `out`, each of its columns contiguous.

    For one vector and rows of middling length `einsum` reads memory half as fast again as BLAS does.
    """
    multiply = np.dot if block.flags.c_contiguous else np.matmul  # `dot` would copy the block
    if _middling(block, len(W)):
        np.einsum("ij,j->i", block, W[0], out=out[:, 0])
    elif len(W) == 1:
        multiply(block, W[0], out=out[:, 0])
    else:
        out[:] = multiply(W, block.T).T


def _middling(block, n_vectors):
    return n_vectors == 1 and block.flags.c_contiguous and 50 <= block.shape[1] <= 2000


class Sparse(Design):
    """X as a SciPy CSR or CSC array or matrix, int32 or int64 indices; never densified.

    It may come in several, runs of rows one after the other: columns are cut out of each run in a thread of its own, and
    left there.
    """

    product_cost = 1.5  # nanoseconds a multiplication, see `_costs`
    copied_column, usual_products = np.inf, 4  # rows do not know where a column is: one costs several products with all

    def __init__(self, runs, meter=None, share=1.0, origin=0.0):
        super().__init__((sum(X.shape[0] for X in runs), runs[0].shape[1]), sum(X.size for X in runs), meter, share)
        self._runs, self.origin = runs, origin

    @cached_property
    def X(self):
        """All rows in one matrix: a copy, which is kept, where they came in several runs."""
        return self._runs[0] if len(self._runs) == 1 else sparse.vstack(self._runs, format="csr")

    def spare_columns(self, n_outputs):
        """As `Dense.spare_columns`: none are cheap to copy."""
        return 0

    def about(self, origin):
        """Return the design of ``X - origin`` in the columns without zeros, in a copy of the stored values; others stay."""
        column = self.X.tocoo(copy=False).col
        full = np.bincount(column, minlength=self.shape[1]) == self.shape[0]
        if not (full & (origin != 0)).any():
            return self
        origin = np.where(full, origin, 0.0)
        moved = self.X.data - origin[column]
        X = type(self.X)((moved, self.X.indices, self.X.indptr), self.shape)
        return Sparse([X], self.meter, self.share, self.origin + origin)

    def _over_parts(self, of_parts, n_outputs):
        return in_threads(of_parts, self._parts)

    @staticmethod
    def _product(part, W, b, out):
        np.add(part @ np.ascontiguousarray(W.T), b, out=out)

    @staticmethod
    def _transposed_product(part, R):
        return np.ascontiguousarray((transposed(part) @ R).T)

    @cached_property
    def _parts(self):
        """Slices of rows, and the rows: in the runs they came in, or X cut in two, in its memory. Few, and CSC, stay in one."""
        runs = self._runs
        if self.size <= MOST_UNCUT:
            runs = [self.X]
        elif len(runs) == 1 and self.X.format == "csr":
            runs = cut(self.X, 2)
        bounds = np.cumsum([0, *(X.shape[0] for X in runs)]).tolist()
        return [(slice(*ends), X) for ends, X in zip(pairwise(bounds), runs, strict=True)]

    def gram(self, weights, n_weights, centre, scale):
        """As `Design.gram`, by pairs where rows hold few of the columns.

        Centring is then applied to the sums, because the centred matrix would be dense.
        """
        if self._crowded:
            return super().gram(weights, n_weights, centre, scale)
        self.meter.read(self.share)
        centre = centre * scale

        def of_runs(runs):
            return [added_up(sums) for sums in zip(*(of_run(*run) for run in runs), strict=True)]

        def of_run(rows, pairs):
            these = weights(rows)
            return pairs.gram(these), (transposed(pairs.X) @ these).T, these.sum(axis=0)

        parts = in_threads(of_runs, self._pairs if (scale == 1).all() else self._scaled_pairs(scale))
        gram, cross, weight = (added_up(shares) for shares in zip(*parts, strict=True))
        gram = both_sides(gram)
        if centre.any():
            cross -= weight[:, None] * centre
            shift = centre[:, None] * cross[:, None, :]
            gram -= shift + np.swapaxes(shift, 1, 2) + weight[:, None, None] * np.outer(centre, centre)
        return gram, cross

    @property
    def _crowded(self):
        return CROWDED * self.size > self.shape[0] * self.shape[1]

    def gram_row(self, n_weights):
        """As `Design.gram_row`."""
        if self._crowded:
            return super().gram_row(n_weights) + FILL * self.shape[1]
        stored = self.size / max(self.shape[0], 1)
        n_pairs = stored * (stored + 1) / 2
        return n_pairs * (PAIR + n_weights * PAIR_WEIGHED)

    @cached_property
    def _pairs(self):
        return [(rows, Pairs(X.tocsr())) for rows, X in self._parts]

    def _scaled_pairs(self, scale):
        return [(rows, Pairs((X @ sparse.diags(scale)).tocsr())) for rows, X in self._parts]

    def row_products(self, centre, scale):
        """As `Dense.row_products`."""
        self.meter.read(self.share)
        X = self._csr @ sparse.diags(scale)
        shift = X @ (centre * scale)
        return (X @ X.T).toarray() - shift[:, None] - shift + np.sum(np.square(centre * scale))

    def moments_tdot(self, R, centre):
        """As `Dense.moments_tdot`; a column whose mean dwarfs its spread loses precision."""
        self.meter.read(self.share)

        def of_parts(parts):
            return added_up(_of_both(X, R[rows]) for rows, X in parts)

        first, second = np.swapaxes(added_up(in_threads(of_parts, self._parts)), 1, 2)
        shift = centre * R.sum(axis=0)[:, None]
        return first - shift, second + centre * (shift - 2 * first)

    def row_squares(self, centre, scale):
        """As `Dense.row_squares`."""
        self.meter.read(self.share)
        square = np.square(scale)
        for rows, X in self._parts:
            stored = squared(X) @ square - 2 * (X @ (centre * square))
            yield rows, np.maximum(stored + np.sum(square * centre * centre), 0)

    def dense_rows(self, rows, centre, scale):
        """As `Dense.dense_rows`."""
        return _in_units(self._csr[rows].toarray().astype(np.float64, copy=False), centre, scale)

    def columns(self, columns):
        """Some columns, as a design."""

        def of_parts(parts):
            return [X[:, columns].tocsr() for _, X in parts]

        runs, origin = chain(*in_threads(of_parts, self._parts)), np.broadcast_to(self.origin, self.shape[1])[columns]
        return Sparse(list(runs), self.meter, self.share * len(columns) / max(self.shape[1], 1), origin)

    def rows(self, rows):
        """Some rows, as a design."""
        return Sparse([self._csr[rows]], self.meter, self.share * len(rows) / max(self.shape[0], 1), self.origin)

    @cached_property
    def _csr(self):
        return self.X.tocsr()

    def _typical(self):
        return np.zeros(self.shape[1])

    def _sums_about(self, guess, weights):
        if not guess.any():
            return self._sums(weights)
        triplets, n_features = self.X.tocoo(copy=False), self.shape[1]
        column, weight = triplets.col, weights[triplets.row]
        distance = triplets.data.astype(np.float64, copy=False) - guess[column]
        full = np.bincount(column, minlength=n_features) == self.shape[0]  # nothing is missing, which rounding must not deny
        missing = np.where(full, 0.0, np.maximum(weights.sum() - np.bincount(column, weight, n_features), 0))
        weighted = weight * distance
        first = np.bincount(column, weighted, n_features) - missing * guess
        return first, np.bincount(column, weighted * distance, n_features) + missing * np.square(guess)

    def _sums(self, weights):
        """Weighted sums of the columns and of their squares."""

        def of_parts(parts):
            return added_up(_of_both(X, weights[rows]) for rows, X in parts)

        return added_up(in_threads(of_parts, self._parts))


def _of_both(X, weights):
    """Weighted sums of the columns, and of their squares."""
    return np.stack([transposed(X) @ weights, transposed(squared(X)) @ weights])


def as_design(X):
    """Give X a home: SciPy sparse (CSR or CSC) or NumPy."""
    if not sparse.issparse(X):
        return Dense(X)
    if not X.has_canonical_format:  # duplicates would be counted twice in squares; work on a copy, X is the user's
        X = X.copy()
        X.sum_duplicates()
    return Sparse([X])
