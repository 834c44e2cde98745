"""What a component in Python needs around a mapping: copy this file as it is.

* A hook's base class answers every function that the mapping leaves out: it says nothing.
* Whatever is raised arrives as a sentence with file and line. Without this, the host sees a trap without words.
* `fact`, `put`, `text` and their kin say in a word what the generated classes say in three.

Import everything at the top of a module: at run time there are no files.
"""

from componentize_py_types import Err
from wit_world.imports import log
from wit_world.imports.types import *  # noqa: F401,F403  the words of the contract
from wit_world.imports import types

STOPS = (types.Stop_Ask, types.Stop_Refuse, types.Stop_Later, types.Stop_Fault)


def _told(error):
    """`deal_value.py:41: KeyError: 'x'`, and the whole stack."""
    # Not by the module traceback: it looks for the source's lines in files, and there are none.
    places = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{step.tb_lineno} in {code.co_name}")
        step = step.tb_next
    words = f"{type(error).__name__}: {error}"
    if places:
        words = f"{places[-1].split(' ', 1)[0]}: {words}"
    return words, "\n".join(places) or None


def _guard(function, name):
    def asked(self, *given):
        try:
            return function(self, *given)
        except Err:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the author should read it
            message, trace = _told(error)
            if name == "describe":
                raise Err([types.Reason("plugin-failed", message, None, trace)]) from None
            if name in ("manifest", "cases"):
                # Nothing can be answered but a trap: the last line of the log stands beside it.
                log.write(types.Level.ERROR, message)
                raise
            raise Err(types.Stop_Fault(types.Fault(message, trace))) from None

    return asked


class Hook:
    """Base of every hook."""

    # Functions whose silence is an empty list; the silence of the others is None.
    LISTS = ()
    FUNCTIONS = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, function in list(vars(cls).items()):
            if callable(function) and not name.startswith("_"):
                setattr(cls, name, _guard(function, name))
        for name in cls.FUNCTIONS:
            if not hasattr(cls, name):
                silence = list if name in cls.LISTS else type(None)
                setattr(cls, name, lambda self, *given, silence=silence: silence())


class PluginBase(Hook):
    pass


class ExamplesBase(Hook):
    pass


class ShouldSyncBase(Hook):
    pass


class OpportunityBase(Hook):
    FUNCTIONS = LISTS = ("to_deal", "to_row")


class LeadBase(Hook):
    FUNCTIONS = LISTS = ("to_deal", "to_row")


class CountryBase(Hook):
    FUNCTIONS = ("to_deal", "to_row")
    LISTS = ("to_row",)


class StatusBase(Hook):
    FUNCTIONS = ("to_deal", "to_row")


class AccountBase(Hook):
    FUNCTIONS = ("searches", "choose", "to_row")
    LISTS = ("to_row",)


class ContactBase(Hook):
    FUNCTIONS = ("searches", "choose", "to_row")
    LISTS = ("to_row",)


class DecorateBase(Hook):
    FUNCTIONS = ("mark",)


def text(row, column):
    """The text of a cell, or None."""
    value = dict(row.cells).get(column)
    return value.value if isinstance(value, types.Value_Text) else None


def code(row, column):
    """The code of a choice, or None."""
    value = dict(row.cells).get(column)
    return value.value.code if isinstance(value, types.Value_Choice) else None


def joined(seen, label):
    """The first row that a join brought, or None."""
    for related in seen.related:
        if related.label == label and related.rows:
            return related.rows[0]
    return None


def setting(settings, name, otherwise=None):
    """The value of a setting, or what it is otherwise."""
    value = dict(settings).get(name)
    return otherwise if value is None else value.value


def put(column, value):
    """Set this column; a text is a text, None empties it."""
    if value is None:
        value = types.Value_Empty()
    elif isinstance(value, str):
        value = types.Value_Text(value)
    elif isinstance(value, types.Money):
        value = types.Value_Money(value)
    return types.Change_Set((column, value))


def choice(number):
    """An option by its code."""
    return types.Value_Choice(types.Choice(number, None))


def reads(table, *columns):
    return types.Need_Reads(types.TableColumns(table, list(columns)))


def writes(table, *columns):
    return types.Need_Writes(types.TableColumns(table, list(columns)))


def asks(table, *columns, steady=False):
    return types.Need_Asks(types.AskedTable(table, list(columns), steady))


def lookup(label, above, column, table, *columns):
    """A join along a lookup column."""
    return types.Need_Joins(types.Join(label, above, table, types.Link_Lookup(column), list(columns)))


def row(table, cells=(), id="0c0c0c0c-0000-4000-8000-000000000001"):
    return types.Row(table, id, sorted(cells))
