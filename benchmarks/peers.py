"""The peers: one small adapter a library, saying what it can solve and how to ask for it; imported when it first runs."""

import types

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from benchmarks.contenders import TOLERANCES, Contender, Estimator

MANY = 1_000_000  # iterations: the tolerance ends the fit


class ScikitLearn(Estimator):
    """One solver of LogisticRegression; One-vs-Rest through OneVsRestClassifier."""

    def __init__(self, solver, tasks=("binary", "ovr", "multinomial"), penalties=("ridge",), max_features=np.inf, **parameters):
        self.name = solver
        self.tasks, self.penalties, self.max_features = tasks, penalties, max_features
        self.parameters = {"solver": solver, "max_iter": MANY} | parameters

    def classifier(self, problem, setting):
        """Return LogisticRegression or One-vs-Rest over it."""
        base = LogisticRegression(
            C=problem.C,
            l1_ratio=problem.l1_ratio,
            fit_intercept=problem.fit_intercept,
            **self.parameters | self.setting(setting),
        )
        return OneVsRestClassifier(base) if problem.task == "ovr" else base

    def setting(self, setting):
        """Parameters that a rung of the ladder sets."""
        return {"tol": setting}


class Saga(ScikitLearn):
    """saga, whose fits nothing interrupts: it climbs a ladder of epochs, not of tolerances."""

    interruptible = False
    ladder = (3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)

    def __init__(self):
        super().__init__("saga", penalties=("ridge", "lasso"), random_state=0)

    def setting(self, setting):
        """Epochs."""
        return {"max_iter": setting, "tol": 1e-15}

    def foreseen(self, seconds, setting, tighter):
        """An epoch takes about as long as any other."""
        return seconds * tighter / setting


class Liblinear(ScikitLearn):
    """liblinear penalises the intercept: a large constant column makes that small, and the objective tells whether enough."""

    interruptible = False
    scalings = types.MappingProxyType({"ridge": (1e3, 1e2, 1e4), "lasso": (1e4, 1e3)})  # what serves it best comes first

    def __init__(self, name="liblinear", penalties=("ridge", "lasso"), **parameters):
        super().__init__("liblinear", tasks=("binary", "ovr"), penalties=penalties, random_state=0, **parameters)
        self.parameters["max_iter"] = 1_000
        self.name = name

    def ladders(self, problem):
        """One a size of the constant column: too small is imprecise, too large hard to solve."""
        return [[(tol, scaling) for tol in TOLERANCES[:-2]] for scaling in self.scalings[problem.penalty]]

    def setting(self, setting):
        """Tolerance and the constant column."""
        return dict(zip(("tol", "intercept_scaling"), setting, strict=True))


class LiblinearDual(Liblinear):
    """liblinear's dual coordinate descent, for more features than rows."""

    scalings = types.MappingProxyType({"ridge": (300.0, 100.0)})

    def __init__(self):
        super().__init__("liblinear-dual", penalties=("ridge",), dual=True)

    def excuse(self, problem):
        """The dual is for wide data."""
        n_rows, n_features = problem.X.shape
        return super().excuse(problem) or ("" if n_features > n_rows else "the dual is for more features than rows")


class LiblinearOfficial(Contender):
    """liblinear's own Python interface, which can leave the intercept unpenalised (-R)."""

    name = "liblinear-official"
    module = "liblinear.liblinearutil"
    interruptible = False

    def data(self, problem):
        """Its own structure over CSR rows; a fit writes its labels into it."""
        from liblinear.liblinearutil import problem as rows

        X = sparse.csr_matrix(problem.X, dtype=np.float64)
        return rows(np.where(problem.codes == 1, 1.0, -1.0), X), problem.X.shape[1]

    def _fit_binary(self, X, positive, problem, setting):
        from liblinear.liblinearutil import parameter, train

        rows, n_features = X
        np.ctypeslib.as_array(rows.y, (rows.l,))[:] = np.where(positive, 1.0, -1.0)
        bias = "-B 1 -R" if problem.fit_intercept else ""
        solver = 6 if problem.l1_ratio else 0
        model = train(rows, parameter(f"-s {solver} -c {problem.C!r} -e {setting} {bias} -q"))
        sign = 1.0 if model.get_labels()[0] == 1 else -1.0
        weights = sign * np.ctypeslib.as_array(model.w, (n_features + problem.fit_intercept,)).copy()
        return weights[:n_features], weights[n_features] if problem.fit_intercept else 0.0


class Glum(Contender):
    """glum: iteratively re-weighted least squares, with coordinate descent inside for a lasso."""

    name = "glum"
    module = "glum"
    by_columns = True
    max_features = 2_000

    def _fit_binary(self, X, positive, problem, setting):
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=1 / (problem.C * len(positive)),
            l1_ratio=problem.l1_ratio,
            fit_intercept=problem.fit_intercept,
            solver="irls-cd" if problem.l1_ratio else "irls-ls",
            gradient_tol=setting,
            max_iter=1_000,
        ).fit(X, positive.astype(np.float64))
        return model.coef_, model.intercept_


class Skglm(Contender):
    """skglm: proximal Newton on working sets."""

    name = "skglm"
    module = "skglm"
    by_columns = True
    penalties = ("lasso",)

    def _fit_binary(self, X, positive, problem, setting):
        from skglm import SparseLogisticRegression

        alpha = 1 / (problem.C * len(positive))
        model = SparseLogisticRegression(alpha, tol=setting, max_iter=100, max_epochs=100, fit_intercept=problem.fit_intercept)
        model.fit(X, positive.astype(int))
        return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0]) if problem.fit_intercept else 0.0


class Celer(Contender):
    """celer: working sets from the duality gap; it fits no intercept."""

    name = "celer"
    module = "celer"
    by_columns = True
    penalties = ("lasso",)
    intercept = False
    interruptible = False

    def _fit_binary(self, X, positive, problem, setting):
        from celer import LogisticRegression as CelerLogisticRegression

        model = CelerLogisticRegression(C=problem.C, tol=setting).fit(X, positive.astype(int))
        return np.ravel(model.coef_), 0.0


class Statsmodels(Contender):
    """statsmodels: Newton on Logit with its quadratic penalty. MNLogit and sparse data have no such penalty."""

    name = "statsmodels"
    module = "statsmodels"
    penalties = ("ridge",)
    sparse = False
    max_features = 1_000

    def data(self, problem):
        """A constant column is its intercept."""
        return np.column_stack([problem.X, np.ones(len(problem.y))]) if problem.fit_intercept else problem.X

    def _fit_binary(self, X, positive, problem, setting):
        from statsmodels.base._penalized import PenalizedMixin
        from statsmodels.base._penalties import L2
        from statsmodels.discrete.discrete_model import Logit

        class RidgeLogit(PenalizedMixin, Logit):
            pass

        weights = np.full(X.shape[1], 0.5 / problem.C)
        if problem.fit_intercept:
            weights[-1] = 0.0
        model = RidgeLogit(positive.astype(float), X, penal=L2(weights), pen_weight=1.0)
        params = np.asarray(model.fit(method="newton", tol=setting, maxiter=100, disp=0).params)
        return (params[:-1], params[-1]) if problem.fit_intercept else (params, 0.0)


PEERS = [
    ScikitLearn("lbfgs"),
    ScikitLearn("newton-cg"),
    ScikitLearn("newton-cholesky", max_features=2_000),
    Liblinear(),
    LiblinearDual(),
    Saga(),
    Glum(),
    Skglm(),
    Celer(),
    LiblinearOfficial(),
    Statsmodels(),
]
