"""Classification by cross-entropy for scikit-learn: logistic and softmax regression, to a proven optimum."""

from sklearn_xent._classifier import CrossEntropyClassifier
from sklearn_xent._rejection import RejectOptionClassifier, risk_coverage_curve
from sklearn_xent._version import __version__
from sklearn_xent.separation import SeparationWarning, find_separation

__all__ = [
    "CrossEntropyClassifier",
    "RejectOptionClassifier",
    "SeparationWarning",
    "__version__",
    "find_separation",
    "risk_coverage_curve",
]
