"""The solver that chooses a solver."""

from math import ceil, inf

from sklearn_xent._costs import Costs
from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.compact_newton import CompactNewton, compact
from sklearn_xent.solvers.newton import Newton, rotates
from sklearn_xent.solvers.newton_cg import NewtonCG
from sklearn_xent.solvers.subsampled_newton import SubsampledNewton

LARGEST_ORDER, MOST_PAIRS = 2500, 250  # of a Hessian's blocks: factors in memory and seconds, beside X's
MANY_COLUMNS, FEW = 50, 0.25  # from so many columns on, rows that hold up to this share of them hold few
WEAK = 1e-3  # strength of a ridge, in units of a row's loss, below which conjugate gradients take long
MOST = 25  # passes, beyond which conjugate gradients are tried before a Hessian is formed
MOST_SCATTERED = 10  # the same where rows hold few of many columns: these are less correlated
MANY_CLASSES = 6  # of a softmax, from which on that holds for it too
TRIAL = 50  # passes that conjugate gradients have at least where rows hold few: theirs cost less than an iteration's
ASSUMED = 1e-6  # tolerance: the choice depends on the data and the penalty alone, whatever `tol` is


class Auto(Solver):
    """The fastest solver for the problem's shape and penalty.

    ================================================================  ==================================
    problem                                                           solver
    ================================================================  ==================================
    no l1 penalty, and the Hessian of a copy in 0.6 milliseconds by   `CompactNewton`
    the model of costs (2,600 rows of 60 columns, two classes; of
    softmax in 1.2)
    Hessian blocks of order up to 2,500, no more than two columns a   `SubsampledNewton`; with an l1
    row, up to 22 classes of a softmax or 250 tasks                   penalty where a sample pays
    of these, a ridge for which that would cost 25 passes and more    `NewtonCG`, as long as that would take
    by the model of costs; 10 where rows hold few of many columns     (there: 50 passes at least); from
                                                                      there `SubsampledNewton`
    others with an l1 penalty; those of 10 passes and more where      `Newton`, on a working set
    rows hold few of many columns
    ridge, two columns a row and more, up to 2,000 rows that do not   `Newton`: in the rows' coordinates, by
    hold few of many columns                                          what this table says there
    larger, without                                                   `NewtonCG`
    ================================================================  ==================================

    The order of a Hessian block is n_features; for softmax, n_features times n_classes. A Hessian that takes more memory
    than X (and a hundred megabytes) counts as larger. Rows hold few of many columns where sparse storage has a quarter at
    most of more than 50. A ridge of a softmax of up to five classes, or a weak one (C above 1,000 for weights of one), counts
    as others do there: conjugate gradients would take long.
    """

    def chosen(self, objective):
        if compact(objective):
            return CompactNewton()
        smooth, scattered = objective.penalty.smooth, _scattered(objective)
        n_rows, n_features = objective.design.shape
        small = objective.hessian_order <= LARGEST_ORDER and objective.n_pairs <= MOST_PAIRS and objective.small_hessian
        if small and n_features <= 2 * n_rows:
            plan, passes, more = _plan(objective)
            dear = passes > _most_passes(objective, scattered)
            if smooth and dear:
                return NewtonCG(max_passes=ceil(max(passes, TRIAL if scattered else 0) + more))
            if smooth or (plan.n_sampled is not None and not dear):
                return SubsampledNewton()
        if not smooth:
            return Newton()
        return Newton(row_solver=self) if rotates(objective) and not scattered else NewtonCG()

    def minimise(self, objective, controls=None, start=None, random_state=None):
        """Minimise an objective with the solver chosen for it; see `Solver.minimise`."""
        return self.chosen(objective).minimise(objective, controls, start, random_state)


def _scattered(objective):
    """Whether rows hold few of many columns, all penalised: a pass is cheap beside a Hessian, and not many are needed."""
    design, penalty = objective.design, objective.penalty
    n_rows, n_features = design.shape
    few_of_many = n_features > MANY_COLUMNS and design.size < n_rows * n_features * FEW
    return few_of_many and (not penalty.smooth or bool((penalty.l2 * n_rows >= WEAK)[objective.scale > 0].all()))


def _most_passes(objective, scattered):
    """How many passes `SubsampledNewton` may cost, as far as another solver might take fewer."""
    smooth = objective.penalty.smooth
    few_classes = objective.coupled and objective.shape[0] < MANY_CLASSES
    if scattered and not (smooth and few_classes):
        return MOST_SCATTERED
    return MOST if smooth else inf


def _plan(objective):
    """How `SubsampledNewton` would go about it at a tolerance of `ASSUMED`; what that and one Hessian more cost in passes."""
    costs, n_rows, value = Costs(objective), objective.design.shape[0], objective.constant_value
    plan = costs.plan(n_rows, value, max(ASSUMED * value, 1e-14))  # weights may leave no loss at all
    one_pass = costs.one_pass(n_rows)
    return plan, plan.cost / one_pass, costs.hessian(n_rows) / one_pass
