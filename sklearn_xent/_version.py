"""The version, and what a pickle says of it."""

import warnings

from sklearn.exceptions import InconsistentVersionWarning

__version__ = "0.1.0"


class VersionedPickle:
    """Pickles carry the version that wrote them; another version that reads them warns, as scikit-learn's own do."""

    def __getstate__(self):
        return super().__getstate__() | {"_sklearn_xent_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        written = state.pop("_sklearn_xent_version", "unknown")
        if written != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=f"{__version__} of sklearn-xent",
                    original_sklearn_version=written,
                ),
                stacklevel=2,
            )
        super().__setstate__(state)
