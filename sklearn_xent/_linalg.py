"""Linear algebra that solvers share: positive semi-definite solves, conjugate gradients, a safe largest eigenvalue."""

import numpy as np
from scipy import linalg

EPS = np.finfo(float).eps
LANCZOS = 40  # products with a large operator, for its largest eigenvalue: the margin is 6% for 10,000 columns
FAINTEST = 1e-250  # curvature; steps by less would leave the range of floating point, and less than zero is rounding
LOST = 64  # units in the last place that entries of a Hessian may be off by, and slopes


def added_up(arrays):
    """Sum of fresh arrays, in the memory of the first; of what is yet to be made, two at a time are there."""
    arrays = iter(arrays)
    first = next(arrays)
    for other in arrays:
        first += other
    return first


def weighted_sums(weights, values):
    """Sum of each column of `values` (n, k) under weights (n, 1 or k); one number in memory is multiplied once."""
    if weights.strides[0] == 0:
        return weights[0] * values.sum(axis=0)
    return np.dot(weights.T, values)[0] if weights.shape[1] == 1 else (weights * values).sum(axis=0)


def weighted_products(weights, values):
    """Sums of products of the columns of `values` (n, k) under weights (n, 1), shape (k, k); BLAS halves those of one array."""
    if weights.strides[0] == 0:
        return weights[0] * np.dot(values.T, values)
    return np.dot(values.T, weights * values)


def weighted_counts(codes, weights, n_codes):
    """Total weight of the rows of each code; weights that are one number in memory are not read row by row."""
    if weights.strides == (0,):
        return np.bincount(codes, minlength=n_codes) * weights[0]
    return np.bincount(codes, weights, n_codes)


class Weighted:
    """Rows of `values` (n, k) times their `weights` (n, 1 or k), made where slices of them are asked for."""

    def __init__(self, weights, values):
        self.weights, self.values, self.shape = weights, values, values.shape

    def __getitem__(self, rows):
        return self.weights[rows] * self.values[rows]


class SemiDefinite:
    """A factored positive semi-definite matrix; `solve` leaves out the directions whose curvature is lost in rounding.

    Jacobi scaling (van der Sluis 1969), then Cholesky; when that meets a pivot below rounding, the eigendecomposition: of the
    scaled matrix, because beside a large diagonal entry all others would be rounding.

    Parameters
    ----------
    A : ndarray of shape (m, m)
    """

    def __init__(self, A):
        diagonal = A.diagonal()
        self.size = len(A)
        self.used = diagonal > 0  # coordinates without curvature are scaled to nothing
        self.root = 1 / np.sqrt(diagonal, out=np.full(self.size, np.inf), where=self.used)
        self._factor(A)

    def _factor(self, A):
        self.vectors = None
        self.factor, failed = linalg.lapack.dpotrf(self._scaled(A).T, lower=True, clean=False, overwrite_a=True)
        if failed or np.min(self.factor.diagonal(), initial=1.0) ** 2 < LOST * len(A) * EPS:
            self.values, self.vectors = linalg.eigh(self._scaled(A), check_finite=False)
            self.rounding = LOST * len(A) * EPS * max(self.values[-1], 0)

    def _scaled(self, A):
        scaled = A * self.root[:, None]
        scaled *= self.root
        np.einsum("ii->i", scaled)[~self.used] = 1.0
        return scaled

    def solve(self, b):
        """Solve for one right-hand side of shape (m,)."""
        if self.vectors is not None:
            kept = self.values > self.rounding
            vectors = self.vectors[:, kept]
            return self.root * (vectors @ ((vectors.T @ (self.root * b)) / self.values[kept]))
        return self.root * linalg.lapack.dpotrs(self.factor, self.root * b, lower=True)[0]

    def regular(self, live):
        """Whether no curvature is lost in rounding, in the coordinates `live` (a mask of shape (m,))."""
        return self.vectors is None and bool(self.used[live].all())

    def half(self, B):
        """Return Y whose products ``Y.T @ Y`` are those of B (m, k) in the metric of the inverse; of a regular matrix."""
        return linalg.blas.dtrsm(1.0, self.factor, B * self.root[:, None], lower=True)

    def inverse_trace(self):
        """Trace of the inverse of a regular matrix, over the coordinates that have curvature."""
        inverse = np.tril(linalg.lapack.dtrtri(self.factor, lower=True)[0])
        return float(np.sum(np.square(inverse) @ np.square(self.root)))

    def norms(self, B):
        """Squared norm of each column of B (m, k) in the metric of the inverse: ``b @ inverse(A) @ b``.

        It is inf where a column has more than its own rounding in directions whose curvature is lost in rounding: of how
        much there is of it nothing is known. Entries of B are sums of numbers of the size of one, or larger themselves.
        """
        flat = (B[~self.used] != 0).any(axis=0)
        if self.vectors is None:
            roots = linalg.blas.dtrsm(1.0, self.factor, B * self.root[:, None], lower=True)
        else:
            lost, along = self.values <= self.rounding, self.vectors.T @ (B * self.root[:, None])
            values, kept = self.values[~lost, None], along[~lost]
            own = np.linalg.norm(self.root) * np.maximum(1, np.abs(B).max(axis=0))
            turned = self.values[-1] * (np.abs(kept) / values).sum(axis=0)  # by the rounding of the eigenvectors
            flat |= (np.abs(along[lost]) > LOST * EPS * (own + turned)).any(axis=0)
            roots = kept / np.sqrt(values)
        return np.where(flat, np.inf, np.einsum("ij,ij->j", roots, roots))


class Decoupled:
    """A factored matrix ``(Q ⊗ I) diag(parts) (Q ⊗ I)ᵀ``: outputs that Q takes apart. Answers as `SemiDefinite` does.

    Parameters
    ----------
    Q : ndarray of shape (n_outputs, n_outputs)
        Orthogonal; a column a part.
    parts : list of SemiDefinite
        All of the same order.
    """

    def __init__(self, Q, parts):
        self.Q, self.parts = Q, parts
        self.size = sum(part.size for part in parts)

    def _apart(self, B):
        """Coordinates B (m, k) of each part."""
        return np.tensordot(self.Q, B.reshape(len(self.parts), -1, B.shape[1]), axes=(0, 0))

    def solve(self, b):
        """As `SemiDefinite.solve`."""
        apart = np.dot(self.Q.T, b.reshape(len(self.parts), -1))
        return np.dot(self.Q, [part.solve(own) for part, own in zip(self.parts, apart, strict=True)]).ravel()

    def regular(self, live):
        """As `SemiDefinite.regular`; all outputs have the same live coordinates."""
        return all(part.regular(live[: part.size]) for part in self.parts)

    def half(self, B):
        """As `SemiDefinite.half`."""
        return np.vstack([part.half(own) for part, own in zip(self.parts, self._apart(B), strict=True)])

    def inverse_trace(self):
        """As `SemiDefinite.inverse_trace`."""
        return sum(part.inverse_trace() for part in self.parts)

    def norms(self, B):
        """As `SemiDefinite.norms`."""
        return sum(part.norms(own) for part, own in zip(self.parts, self._apart(B), strict=True))


def spd_solve(A, b):
    """Solve ``A x = b`` for a positive semi-definite A of shape (m, m); where it is singular, on a basis of its columns.

    The other coordinates stay zero. Cholesky with complete pivoting after Jacobi scaling (Higham 1990, "Analysis of the
    Cholesky decomposition of a semi-definite matrix"): a tenth of the time of an eigendecomposition, and still the least of
    ``x @ A @ x / 2 - b @ x`` on that basis.
    """
    diagonal, lost, x = A.diagonal(), LOST * len(A) * EPS, np.zeros(len(b))
    used = diagonal > FAINTEST
    if not used.any():
        return x
    root = np.divide(1, np.sqrt(np.maximum(diagonal, 0)), out=np.zeros(len(A)), where=used)
    scaled = A * root[:, None] * root
    factor, failed = linalg.lapack.dpotrf(scaled.T, lower=True, clean=False)
    if not failed and np.min(factor.diagonal(), initial=1.0) ** 2 >= lost:
        return root * linalg.lapack.dpotrs(factor, root * b, lower=True)[0]
    factor, order, rank, _ = linalg.lapack.dpstrf(scaled, lower=True, tol=lost)
    basis = order[:rank] - 1
    x[basis] = linalg.lapack.dpotrs(np.asfortranarray(factor[:rank, :rank]), (root * b)[basis], lower=True)[0]
    return root * x


def conjugate_gradients(product, b, diagonal, stop, max_iter, precondition=None):
    """Preconditioned conjugate gradients for ``A x = b``, A positive semi-definite, from zero.

    Parameters
    ----------
    product : callable
        ``A @ v`` for arrays shaped like `b`.
    b, diagonal : ndarray
        Right-hand side and a positive approximation of A's diagonal (zero: the coordinate stays zero).
    stop : callable
        ``stop(squared, r)``: whether the residual r, of this squared preconditioned norm, is small enough.
    max_iter : int
        Most steps.
    precondition : callable, optional
        Nearly ``inverse(A) @ r``; without, the diagonal's.

    Returns
    -------
    ndarray shaped like `b`
    """
    inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    precondition = precondition or (lambda r: inverse * r)
    x, r = np.zeros(b.shape), b.copy()
    y = precondition(r)
    squared, d = np.vdot(r, y), y.copy()
    length = squared  # of d in the metric of the preconditioner, squared
    for _ in range(max_iter):
        if stop(squared, r):
            break
        Ad = product(d)
        bend = np.vdot(d, Ad)
        if not bend > EPS * length:  # a direction without curvature: what was gained so far is kept
            break
        _add(x, squared / bend, d)
        _add(r, -squared / bend, Ad)
        y = precondition(r)
        previous, squared = squared, np.vdot(r, y)
        d *= squared / previous
        d += y
        length = squared + (squared / previous) ** 2 * length  # y is orthogonal to the last d in that metric
    return x if x.any() else y  # without a step, what preconditioning made of `b`: it descends all the same


def _add(x, a, y):
    """Add ``a * y`` to a contiguous x: BLAS needs one read of both where NumPy makes an array in between."""
    linalg.blas.daxpy(y.ravel(), x.ravel(), a=a)


def relative(accuracy, enough):
    """Return a stopping rule for `conjugate_gradients`: residual norm reduced by a factor, or ``enough(r)``."""
    first = []

    def stop(squared, r):
        first.append(squared)
        return squared <= accuracy**2 * first[0] or enough(r)

    return stop


def largest_eigenvalue(product, trace, size):
    """Upper bound of the largest eigenvalue of a positive semi-definite operator, tight and safe.

    Exact up to `LANCZOS` columns. Above, Lanczos from a random start: with m steps, its estimate falls short by a relative
    error eps with probability at most ``1.648 sqrt(size) exp(-sqrt(eps) (2 m - 1))`` (Kuczyński & Woźniakowski 1992, SIAM J.
    Matrix Anal. Appl. 13, theorem 4.2). The margin makes that 1e-6; the trace bounds the result as well.

    Parameters
    ----------
    product : callable
        ``A @ v`` for vectors of shape (size,).
    trace : float
        Trace of A.
    size : int
        Order of A.

    Returns
    -------
    float
    """
    if size == 0 or trace <= 0:
        return 0.0
    v = np.random.default_rng(0).standard_normal(size)
    basis, diagonal, beside = [v / np.linalg.norm(v)], [], []
    exact = False
    for _ in range(min(LANCZOS, size)):
        w = product(basis[-1])
        diagonal.append(basis[-1] @ w)
        for _ in range(2):  # twice is enough (Parlett 1980)
            w = w - np.array(basis).T @ (np.array(basis) @ w)
        beside.append(np.linalg.norm(w))
        if beside[-1] <= 1e-12 * trace:
            exact = True
            break
        basis.append(w / beside[-1])
    top = linalg.eigvalsh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))[-1]
    margin = 1e-9 if exact or size <= LANCZOS else (np.log(1.648e6 * np.sqrt(size)) / (2 * len(diagonal) - 1)) ** 2
    return min(top * (1 + margin), trace * (1 + 1e-9))
