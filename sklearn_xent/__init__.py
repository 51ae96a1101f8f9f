"""Classification by cross-entropy for scikit-learn: logistic and softmax regression, to a proven optimum."""

from sklearn_xent._classifier import CrossEntropyClassifier

__version__ = "0.1.0"

__all__ = ["CrossEntropyClassifier", "__version__"]
