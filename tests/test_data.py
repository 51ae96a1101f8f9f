"""Plain arrays take a short way past scikit-learn's checks: it ends where the long one does."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.validation import validate_data

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._data import ACCEPTED, checked, checked_to_fit


class Subclass(np.ndarray):
    pass


X, Y = np.random.default_rng(0).standard_normal((12, 3)), np.arange(12) % 2
LARGEST, SMALLEST = np.equal(X, X.max()), np.equal(X, X.min())
INPUTS = {
    "doubles": X,
    "singles": X.astype(np.float32),
    "halves": X.astype(np.float16),
    "big-endian": X.astype(">f8"),
    "integers": (10 * X).astype(int),
    "columns": np.asfortranarray(X),
    "strides": X[::-2],
    "read-only": np.broadcast_to(X[:1], X.shape),
    "subclass": X.view(Subclass),
    "list": X.tolist(),
    "objects": X.astype(object),
    "complex": X + 1j,
    "a vector": X[0],
    "a cube": X[None],
    "no rows": X[:0],
    "no columns": X[:, :0],
    "more columns": np.hstack([X, X]),
    "nan": np.where(LARGEST, np.nan, X),
    "inf": np.where(LARGEST, np.inf, X),
    "inf and -inf": np.where(LARGEST, np.inf, np.where(SMALLEST, -np.inf, X)),
    "a sum that overflows": np.full_like(X, 1e308),
}
LABELS = {
    "integers": Y,
    "bytes": Y.astype(np.int8),
    "floats": Y.astype(float),
    "names": np.array(["a", "b"])[Y],
    "list": Y.tolist(),
}
LABELS |= {"too few": Y[:-1], "a cube": Y[None, None], "booleans": Y == 1, "nan": np.where(Y == 1, np.nan, 0)}


def outcome(check):
    """What a check returns, down to its type, or what it complains of."""
    try:
        with np.errstate(all="ignore"):
            found = check()
    except (ValueError, TypeError) as error:
        return type(error), str(error)
    return [(type(a), a.dtype, a.shape, a.tolist()) for a in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize("name", INPUTS)
def test_data_to_predict(name):
    fitted = CrossEntropyClassifier().fit(X, Y)
    given = INPUTS[name]
    assert outcome(lambda: checked(fitted, given)) == outcome(lambda: validate_data(fitted, given, reset=False, **ACCEPTED))


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", [name for name in INPUTS if "nan" not in name])  # of which lists are not equal to themselves
def test_data_to_fit(name, labels):
    given, y, one, other = INPUTS[name], LABELS[labels], CrossEntropyClassifier(), CrossEntropyClassifier()
    found = outcome(lambda: checked_to_fit(one, given, y))
    expected = outcome(lambda: validate_data(other, given, y, ensure_all_finite=False, **ACCEPTED))
    assert str(found) == str(expected)
    assert vars(one) == vars(other)


def test_names_are_forgotten_when_data_have_none():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    fitted = CrossEntropyClassifier().fit(frame, Y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    fitted.fit(X, Y).predict(X)
    assert not hasattr(fitted, "feature_names_in_")
