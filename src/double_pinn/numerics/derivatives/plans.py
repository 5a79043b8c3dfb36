"""Plans: which functionals of a network are carried, so that all those asked for follow.

Through a layer ``tanh(z)`` a functional C obeys (Faà di Bruno)

    C(tanh z) = tanh'(z) C(z) + terms in derivatives of lower order,

so a whole operator such as ``u_tt - 4 u_xx``, or its x-derivative, travels through the network as
ONE channel ("collapsed"), whatever the number of derivatives it sums. A :class:`Plan` is the
smallest set of channels that this module finds for the functionals asked of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import comb

from double_pinn.numerics.derivatives.functionals import VALUE, Functional, Index, partial


@cache
def set_partitions(index: Index) -> tuple[tuple[tuple[Index, ...], int], ...]:
    """Return the set partitions of a derivative into two or more factors, with multiplicities.

    A factor is a derivative of lower order; by Faà di Bruno's formula each partition is one product
    of such derivatives.
    """

    def split(items):
        if not items:
            yield ()
            return
        head, tail = items[0], items[1:]
        for factors in split(tail):
            yield ((head,), *factors)
            for k, factor in enumerate(factors):
                yield (*factors[:k], (head, *factor), *factors[k + 1 :])

    counts = Counter(
        tuple(sorted((factor.count(0), factor.count(1)) for factor in factors))
        for factors in split((0,) * index[0] + (1,) * index[1])
        if len(factors) > 1
    )
    return tuple(sorted(counts.items()))


def _without_value(functional: Functional) -> tuple[Functional, float | None]:
    """Split off the value, which is no derivative: it passes a layer in another way."""
    terms = dict(functional)
    at_value = terms.pop(VALUE, None)
    return tuple(terms.items()), at_value


def _lower(functional: Functional) -> set[Index]:
    """Return the derivatives of lower order that a functional needs to pass a nonlinear layer."""
    return {
        factor
        for index, _ in functional
        for factors, _ in set_partitions(index)
        for factor in factors
    }


@dataclass(frozen=True)
class Plan:
    """The channels that travel through the network.

    Attributes:
        channels: the functionals, one a channel; the first is the value itself.
    """

    channels: tuple[Functional, ...]

    def __len__(self):
        return len(self.channels)

    @property
    def order(self) -> int:
        """The highest order of a derivative in the plan."""
        return max(sum(index) for channel in self.channels for index, _ in channel)

    def select(self, values: Sequence, functional: Functional):
        """Return a functional's values from the channels' values, a sum of few of them.

        Args:
            values: one array a channel, all of one shape.
            functional: one of those the plan was made for.

        Raises:
            KeyError: if the plan does not carry the functional.
        """
        functional, at_value = _without_value(functional)
        selected = None if at_value is None else at_value * values[0]
        if functional in self.channels:
            operator = values[self.channels.index(functional)]
            return operator if selected is None else selected + operator
        for index, coefficient in functional:
            channel = partial(index)
            if channel not in self.channels:
                raise KeyError(f"the plan does not carry the derivative {index}")
            value = values[self.channels.index(channel)]
            term = value if coefficient == 1.0 else coefficient * value
            selected = term if selected is None else selected + term
        return selected


def make_plan(functionals: Iterable[Functional]) -> Plan:
    """Find few channels from which all functionals follow.

    A functional travels collapsed unless its single derivatives are needed anyway, or are no more
    than the functionals that share them.
    """
    functionals = [rest for f in functionals if (rest := _without_value(f)[0])]
    single = {f[0][0] for f in functionals if len(f) == 1}
    # A multiple of one derivative is that derivative.
    collapsed = [f for f in dict.fromkeys(functionals) if len(f) > 1]

    pending = set(single).union(*(_lower(f) for f in collapsed))
    needed: set[Index] = set()
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending |= _lower(partial(index))
    needed.discard(VALUE)

    def missing(functional):
        return {index for index, _ in functional} - needed - {VALUE}

    collapsed = [f for f in collapsed if missing(f)]
    fresh = set().union(*(missing(f) for f in collapsed))
    if len(fresh) <= len(collapsed):
        needed |= fresh
        collapsed = []
    ordered = sorted(needed, key=lambda index: (sum(index), index[1], index[0]))
    return Plan((partial(VALUE), *(partial(index) for index in ordered), *collapsed))


#: Coefficient of a product of two channels, one of each factor.
Terms = dict[tuple[int, int], float]


def leibniz_terms(plan: Plan, functional: Functional) -> Terms:
    """Return a functional of a product as a sum of products of the factors' channels.

    Leibniz' rule: D^α(p q) = Σ_β C(α, β) D^β p D^(α-β) q.

    Args:
        plan: the channels.
        functional: one of those that the plan was made for.
    """
    terms: Terms = defaultdict(float)
    rest = tuple((index, c) for index, c in functional if index != VALUE)
    at_value = dict(functional).get(VALUE)
    if at_value is not None:
        terms[0, 0] += at_value
    if not rest:
        return dict(terms)
    if rest not in plan.channels:
        for index, coefficient in rest:
            for pair, factor in leibniz_terms(plan, partial(index)).items():
                terms[pair] += coefficient * factor
        return dict(terms)
    channel = plan.channels.index(rest)
    terms[channel, 0] += 1.0
    terms[0, channel] += 1.0
    for (p, q), coefficient in rest:
        for i, j in product(range(p + 1), range(q + 1)):
            if 0 < i + j < p + q:
                of_a, of_g = partial((i, j)), partial((p - i, q - j))
                pair = plan.channels.index(of_a), plan.channels.index(of_g)
                terms[pair] += coefficient * comb(p, i) * comb(q, j)
    return dict(terms)
