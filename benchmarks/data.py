"""Where rows come from: generators of ``(X, y)``, each from a random generator and a shape."""

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

N_FACTORS = 5  # latent factors that correlate the columns of dense data
WORDS_A_ROW = 14  # tokens a document on average: about twelve distinct words


def dense(rng, shape):
    """Draw columns that share latent factors; the label depends on a tenth of them strongly and on all a little."""
    X = _factors(rng, shape)
    relevant = rng.random(shape[1]) < 0.1
    scores = X @ (rng.standard_normal(shape[1]) * np.where(relevant, 1.0, 0.1))
    return X, _labels(rng, scores / scores.std() * 2)


def ill_scaled(rng, shape):
    """Draw dense data whose columns have units a few powers of e apart."""
    X, y = dense(rng, shape)
    X *= np.exp(rng.standard_normal(shape[1]) * 1.5)
    return X, y


def ten_classes(rng, shape):
    """Draw dense data of ten classes, all linear in the columns."""
    X = _factors(rng, shape)
    scores = X @ rng.standard_normal((shape[1], 10))
    gumbel = rng.gumbel(size=scores.shape)
    return X, np.argmax(scores / scores.std() * 2 + gumbel, axis=1)


def text(rng, shape):
    """Draw word counts of two kinds of documents.

    Words are Zipf-distributed. As with real words, the most frequent say next to nothing about the label, and each of the
    others is more probable in one kind of document than in the other by a factor of its own.
    """
    n_rows, n_words = shape
    rank = np.arange(1, n_words + 1)
    tilt = rng.standard_normal(n_words) * np.where(rank <= 50, 0.05, 0.8)
    y = (rng.random(n_rows) < 0.4).astype(int)
    lengths = 1 + rng.poisson(WORDS_A_ROW - 1, n_rows)
    of_row = np.repeat(np.arange(n_rows), lengths)
    words = np.empty(len(of_row), dtype=np.int32)
    for label, sign in ((0, -0.5), (1, 0.5)):
        cumulative = np.cumsum(np.exp(sign * tilt) / (rank + 2.7))
        here = y[of_row] == label
        words[here] = np.searchsorted(cumulative / cumulative[-1], rng.random(here.sum()), side="right").clip(0, n_words - 1)
    X = sparse.csr_matrix((np.ones(len(words)), (of_row, words)), shape=shape)
    X.sum_duplicates()
    return X, y


def shipped(load):
    """Return a generator of one of scikit-learn's data sets, or of some of its rows where the shape asks for fewer."""

    def rows(rng, shape):
        X, y = load(return_X_y=True)
        chosen = rng.permutation(len(y))[: shape[0]] if shape[0] < len(y) else slice(None)
        return X[chosen].astype(np.float64), y[chosen]

    return rows


def scaled_breast_cancer(rng, shape):
    """Return breast cancer with columns of mean zero and variance one."""
    X, y = breast_cancer(rng, shape)
    return StandardScaler().fit_transform(X), y


digits, iris, wine, breast_cancer = (shipped(load) for load in (load_digits, load_iris, load_wine, load_breast_cancer))


def _factors(rng, shape):
    loadings = rng.standard_normal((N_FACTORS, shape[1]))
    X = rng.standard_normal(shape)
    X += 0.5 * rng.standard_normal((shape[0], N_FACTORS)) @ loadings
    return X


def _labels(rng, scores):
    return (rng.random(len(scores)) < 1 / (1 + np.exp(-scores))).astype(int)
