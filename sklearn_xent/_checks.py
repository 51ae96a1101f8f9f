"""Checks of parameters that say what was wrong and what would be right."""

import numbers


def check_integer(name, value, least):
    """Raise unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer of at least {least}; got {value!r} ({type(value).__name__}).")
    if value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}.")


def check_real(name, value, allowed, valid):
    """Raise unless `value` is a real number for which `valid(value)`; `allowed` says in words what that means."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be {allowed}; got {value!r} ({type(value).__name__}).")
    try:
        acceptable = valid(float(value))
    except OverflowError:  # an integer of more than 308 digits
        acceptable = False
    if not acceptable:
        raise ValueError(f"{name} must be {allowed}; got {value!r}.")


def check_real_or(name, value, option, allowed, valid):
    """Raise unless `value` is the string `option` or a real number for which `valid(value)`."""
    if not (isinstance(value, str) and value == option):
        check_real(name, value, f"{option!r} or {allowed}", valid)


def check_option(name, value, options):
    """Raise unless `value` is one of the strings `options`."""
    allowed = " or ".join(repr(option) for option in options)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {allowed}; got {value!r} ({type(value).__name__}).")
    if value not in options:
        raise ValueError(f"{name} must be {allowed}; got {value!r}.")
