# SPDX-License-Identifier: GPL-2.0
"""
TAP version 13, flat: test points, cases, clean-up, plan.

A case is a function registered with @case or @each.  An exception in it fails
that case with its own "not ok" line and the next case goes on.  run() runs all
cases, then the clean-ups in reverse order of registration, prints the plan and
exits with 0 if every point passed, else 1.
"""
import os
import sys

_count = 0
_failed = 0
_cases = []
_cleanups = []
_prefix = ""


class Bail(Exception):
    """The rest of the subject makes no sense."""


class Skip(Exception):
    """The rest of this case makes no sense here; the message says why."""


def _print(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def diag(text):
    """A comment in the output; several lines become several comments."""
    for line in str(text).splitlines() or [""]:
        _print("# " + line)


def _point(good, name, directive=""):
    global _count, _failed
    _count += 1
    name = (_prefix + name).replace("#", "\\#").replace("\n", " ")
    if not good:
        _failed += 1
    _print("%s %d - %s%s" % ("ok" if good else "not ok", _count, name,
                             directive))
    return bool(good)


def ok(good, name, why=None):
    """One test point; `why` is a comment for when it fails."""
    _point(good, name)
    if not good:
        frame = sys._getframe(1)
        while frame.f_code.co_filename == __file__:
            frame = frame.f_back
        diag("  at %s:%d" % (os.path.basename(frame.f_code.co_filename),
                             frame.f_lineno))
        if why is not None:
            diag(why)
    return bool(good)


def _difference(got, expected):
    if isinstance(got, dict) and isinstance(expected, dict):
        lines = []
        for key in sorted(set(got) | set(expected), key=str):
            ours, theirs = got.get(key), expected.get(key)
            if ours != theirs:
                lines.append("  %s: got %r, expected %r" % (key, ours, theirs))
        return "\n".join(lines)
    return "  got      %r\n  expected %r" % (got, expected)


def is_(got, expected, name):
    """Equal; dictionaries are compared key by key in the comment."""
    return ok(got == expected, name, _difference(got, expected))


def isnt(got, other, name):
    """Not equal."""
    return ok(got != other, name, "  got %r" % (got,))


def has(text, part, name):
    """`part` occurs in `text`."""
    return ok(part in text, name,
              "  no %r\n  in %r" % (part, text))


def skip(name, why):
    """A point that cannot be tested here."""
    return _point(True, name, " # SKIP " + why)


def bail(why):
    """Nothing further makes sense: end the whole run."""
    raise Bail(why)


def cleanup(thing):
    """
    Register thing.close() - or thing itself, if it is a function - for the end
    of the run, and return it.
    """
    _cleanups.append(thing.close if hasattr(thing, "close") else thing)
    return thing


def case(func):
    """Decorator: run func() as a case.  Its name, in words, is its title."""
    _cases.append((func, ()))
    return func


def each(*values):
    """
    Decorator: run func(value) as one case for each value; tuples are spread
    into several arguments.
    """
    def register(func):
        for value in values:
            args = value if isinstance(value, tuple) else (value,)
            _cases.append((func, args))
        return func
    return register


def _title(func, args):
    words = [func.__name__.replace("_", " ")]
    for arg in args:
        words.append("IPv%d" % arg if arg in (4, 6) else
                     getattr(arg, "__name__", str(arg)))
    return ", ".join(words)


def _traceback():
    """Python's module, which takes a tenth of a second to load in a VM."""
    import traceback
    return traceback


def _guarded(title, func, args=()):
    """Run func; an exception becomes one failed point."""
    global _prefix
    before = _count
    _prefix = title + ": " if title else ""
    try:
        func(*args)
        if title and _count == before:
            ok(False, "no test point in this case")
    except Skip as why:
        skip("rest of the case", str(why))
    except Bail:
        raise
    except Exception as error:
        _point(False, "%s: %s" % (type(error).__name__, error))
        diag(_traceback().format_exc())
    finally:
        _prefix = ""


def run():
    """Run every case and every clean-up, print the plan, exit."""
    _print("TAP version 13")
    try:
        for func, args in _cases:
            _guarded(_title(func, args), func, args)
    except Bail as why:
        done(bail_why=str(why))
    done()


def done(bail_why=None):
    """Clean up, print the plan, exit; for subjects that do not use run()."""
    while _cleanups:
        _guarded("", _cleanups.pop())
    if bail_why is not None:
        _print("Bail out! " + bail_why)
        sys.exit(1)
    _print("1..%d" % _count)
    if _failed:
        diag("%d of %d failed" % (_failed, _count))
    sys.exit(1 if _failed or not _count else 0)


def _fatal(kind, error, trace):
    """An exception outside of any case, for example in the preparations."""
    diag("".join(_traceback().format_exception(kind, error, trace)))
    try:
        done(bail_why="%s: %s" % (kind.__name__, error))
    except SystemExit:
        pass


sys.excepthook = _fatal		# Python exits with 1 after it


def skip_all(why):
    """The whole subject cannot run here."""
    _print("1..0 # SKIP " + why)
    sys.exit(0)
