"""scikit-learn's callbacks: progress bars, scores along the way, early stops. Older versions have none (before 1.9)."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    FRAMES = 1  # that `with_callbacks` puts between a method and its caller
except ImportError:
    FRAMES = 0

    class CallbackSupportMixin:
        """No callbacks in this version of scikit-learn."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


class FitCallbacks:
    """A fit as callbacks see it: one of their tasks, with one an iteration in it.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    max_iter : int
        Most iterations.
    """

    def __init__(self, estimator, max_iter):
        self.estimator, self.data, self.known, self.context = estimator, {}, {}, None
        if getattr(estimator, "_skl_callbacks", None):
            self.context = estimator._init_callback_context(max_subtasks=max_iter + 1)  # the start counts

    def begin(self, X, y, sample_weight, known):
        """Tell that the fit begins; returns what the solver calls after each iteration, None where nobody listens.

        `known` are the fitted attributes that no iteration changes, `prior_shift_` among them.
        """
        if self.context is None:
            return None
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.known = known
        self.data = {"estimator": self.estimator, "X": X, "y": y, "metadata": metadata}
        self.context.call_on_fit_task_begin(**self.data)
        return self._iteration

    def end(self):
        """Tell that the fit is done; the estimator has its attributes itself."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes={})

    def _iteration(self, place):
        """Tell that an iteration is done; `place()` gives its coefficients and intercepts. Returns whether one asks to stop."""

        def fitted():
            coef, intercept = place()
            return self.known | {"coef_": coef, "intercept_": intercept + self.known["prior_shift_"]}

        task = self.context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(**self.data)
        return task.call_on_fit_task_end(**self.data, reconstruction_attributes=fitted)
