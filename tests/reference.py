"""An independent solver in extended precision, and random problems to try things on.

Newton's method with the gradient in `np.longdouble` and the Hessian, which only steers, in double. It shares no code and no
formula with the package: the objective is written out, with the intercept as a column of ones.
"""

import numpy as np
from scipy import sparse

LD = np.longdouble


def make_problem(n_classes=2, n_samples=60, n_features=4, seed=0, weighted=True):
    """Overlapping classes, correlated columns of different scales and an offset, weights that repeat nothing."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    X[:, -1] = 0.7 * X[:, 0] + 0.3 * X[:, -1]
    X = X * np.geomspace(0.1, 10, n_features) + np.linspace(-1, 2, n_features)
    scores = 0.7 * ((X - X.mean(axis=0)) / X.std(axis=0)) @ rng.standard_normal((n_features, n_classes)) + rng.gumbel(
        size=(n_samples, n_classes)
    )
    y = np.argmax(scores, axis=1)
    y[:n_classes] = np.arange(n_classes)
    weights = rng.uniform(0.5, 2, n_samples) if weighted else np.ones(n_samples)
    return X, y, weights


def probabilities(Z, multinomial):
    """Probabilities in the precision of `Z`."""
    if not multinomial:
        return 1 / (1 + np.exp(-Z))
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def objective(X, onehot, weights, W, b, C, l1_ratio, multinomial):
    """Mean loss plus penalty as design.md states it: ``sum s loss / S + penalty / (C S)``, in extended precision."""
    X, W, b, weights = (np.asarray(part, dtype=LD) for part in (X, W, b, weights))
    Z = X @ W.T + b
    if multinomial:
        top = Z.max(axis=1)
        losses = np.log(np.exp(Z - top[:, None]).sum(axis=1)) + top - (Z * onehot).sum(axis=1)
    else:
        losses = (np.log1p(np.exp(-np.abs(Z))) + np.maximum(Z, 0) - Z * onehot).sum(axis=1)
    total = weights.sum()
    penalty = (1 - l1_ratio) / 2 * (W * W).sum() + l1_ratio * np.abs(W).sum()
    return ((weights * losses).sum() + (penalty / C if np.isfinite(C) else 0)) / total


def ridge_optimum(X, onehot, weights, C, multinomial, n_iter=60):
    """Coefficients and intercepts that minimise ``C sum s loss + |W|²/2``, to extended precision."""
    n, p = X.shape
    K = onehot.shape[1]
    A = np.hstack([np.asarray(X, dtype=LD), np.ones((n, 1), dtype=LD)])
    ridge = np.append(np.full(p, 1 / LD(C)), 0)
    theta = np.zeros((K, p + 1), dtype=LD)
    for _ in range(n_iter):
        P = probabilities(A @ theta.T, multinomial)
        gradient = (weights[:, None] * (P - onehot)).T @ A + ridge * theta
        hessian = _hessian(A.astype(float), P.astype(float), weights, ridge.astype(float), multinomial)
        step = np.linalg.lstsq(hessian, gradient.astype(float).ravel(), rcond=1e-13)[0].reshape(theta.shape)
        longest = np.max(np.abs(A @ step.T))
        theta = theta - step / max(1, longest / 2)
    if multinomial:
        theta[:, p] -= theta[:, p].mean()
    assert longest < 1e-14
    return theta[:, :p], theta[:, p]


def _hessian(A, P, weights, ridge, multinomial):
    K, m = P.shape[1], A.shape[1]
    hessian = np.zeros((K, m, K, m))
    for k in range(K):
        for j in range(K if multinomial else 1):
            other = j if multinomial else k
            curvature = weights * P[:, k] * ((k == other) - P[:, other])
            hessian[k, :, other] = A.T @ (curvature[:, None] * A)
        hessian[k, :, k] += np.diag(ridge)
    return hessian.reshape(K * m, K * m)


def onehot_of(y, multinomial):
    """Targets as columns: one for two classes, one a class otherwise."""
    classes = np.unique(y)
    columns = (y[:, None] == classes).astype(float)
    return columns if multinomial or len(classes) > 2 else columns[:, 1:]


def _strided(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]))
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _int64_indices(X):
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


#: Ways to hold a matrix: what a user may hand us.
CONTAINERS = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "strided": _strided,
    "read-only": _read_only,
    "float32": lambda X: X.astype(np.float32),
    "int64 indices": _int64_indices,
    **{kind: getattr(sparse, f"{kind}_matrix") for kind in ("csr", "csc", "coo", "dok", "lil", "dia", "bsr")},
    **{f"{kind} array": getattr(sparse, f"{kind}_array") for kind in ("csr", "csc", "coo")},
}
