# mypy: ignore-errors
# LLVM's builder has no types.
"""Functions in machine code, written in Python through LLVM's builder.

What is written looks like NumPy: a `Value` is a number, or a vector of them, that the machine will
have; what is done with it in Python is done by the machine later. So the functions of
`engine/numerics` write themselves when they are given values instead of arrays, and the compiled
step cannot differ from the definition in the order of its operations. LLVM keeps that order: it
fuses or reassociates floats only where it is told to, and here it is not.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from llvmlite import ir

_TYPES = {
    np.dtype(np.bool_): ir.IntType(1),
    np.dtype(np.float32): ir.FloatType(),
    np.dtype(np.float64): ir.DoubleType(),
    **{np.dtype(f"{sign}{size}"): ir.IntType(8 * size) for sign in "iu" for size in (1, 2, 4, 8)},
}
_POINTER, _VOID = ir.PointerType(), ir.VoidType()
LINE = 64  # bytes that come from memory together

# NumPy's function: LLVM's instruction for floats, for signed and for unsigned integers.
_INSTRUCTIONS = {
    np.add: ("fadd", "add", "add"),
    np.subtract: ("fsub", "sub", "sub"),
    np.multiply: ("fmul", "mul", "mul"),
    np.divide: ("fdiv", "sdiv", "udiv"),
    np.left_shift: (None, "shl", "shl"),
    np.right_shift: (None, "ashr", "lshr"),
    np.bitwise_and: (None, "and_", "and_"),
    np.bitwise_or: (None, "or_", "or_"),
    np.bitwise_xor: (None, "xor", "xor"),
}
_COMPARISONS = {
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=",
    np.equal: "==", np.not_equal: "!=",
}  # fmt: skip
_BOUNDS = {np.minimum: "minnum", np.maximum: "maxnum"}


def type_of(kind, lanes=0):
    """LLVM's type of a NumPy kind, or of a vector of so many."""
    one = _TYPES[np.dtype(kind)]
    return ir.VectorType(one, lanes) if lanes else one


class Value:
    """What will be a number of the kind `dtype`, or a vector of `lanes` of them (0: no vector)."""

    def __init__(self, code, raw, dtype):
        self.code, self.raw, self.dtype = code, raw, np.dtype(dtype)
        self.lanes = raw.type.count if isinstance(raw.type, ir.VectorType) else 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or kwargs or len(inputs) != 2:
            return NotImplemented
        a, b = self.code.alike(*inputs)
        build, floats = self.code.build, a.dtype.kind == "f"
        if ufunc in _COMPARISONS:
            name = "fcmp_ordered" if floats else f"icmp_{_signs(a.dtype)}"
            return Value(self.code, getattr(build, name)(_COMPARISONS[ufunc], a.raw, b.raw), bool)
        if ufunc in _BOUNDS and floats:
            # No number here is none (NaN); that said, each bound is one instruction.
            raw = self.code.intrinsic(_BOUNDS[ufunc], a.raw.type, a.raw, b.raw, fast=("nnan",))
            return Value(self.code, raw, a.dtype)
        column = 0 if floats else 1 if a.dtype.kind == "i" else 2
        name = _INSTRUCTIONS[ufunc][column]
        return Value(self.code, getattr(build, name)(a.raw, b.raw), a.dtype)

    def astype(self, kind):
        """The same number as another kind; a float's fraction is dropped."""
        kind = np.dtype(kind)
        if kind == self.dtype:
            return self
        to, build = type_of(kind, self.lanes), self.code.build
        here, there = self.dtype.kind, kind.kind
        if here == "f" and there == "f":
            convert = build.fpext if kind.itemsize > self.dtype.itemsize else build.fptrunc
        elif here == "f":
            convert = build.fptosi if there == "i" else build.fptoui
        elif there == "f":
            convert = build.sitofp if here == "i" else build.uitofp
        elif here != "b" and kind.itemsize == self.dtype.itemsize:
            return Value(self.code, self.raw, kind)
        elif here != "b" and kind.itemsize < self.dtype.itemsize:
            convert = build.trunc
        else:
            convert = build.sext if here == "i" else build.zext
        return Value(self.code, convert(self.raw, to), kind)

    def view(self, kind):
        """The same bits as another kind of the same size; a vector of others has other lanes."""
        lanes = self.lanes * self.dtype.itemsize // np.dtype(kind).itemsize
        raw = self.code.build.bitcast(self.raw, type_of(kind, lanes))
        return Value(self.code, raw, kind)

    def spread(self, lanes):
        """A vector of this number."""
        if not lanes or self.lanes == lanes:
            return self
        kind = type_of(self.dtype, lanes)
        none = ir.Constant(kind, ir.Undefined)
        one = self.code.build.insert_element(none, self.raw, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return Value(self.code, self.code.build.shuffle_vector(one, none, zeros), self.dtype)

    def total(self):
        """The sum of a vector of integers."""
        raw = self.code.intrinsic("vector.reduce.add", self.raw.type, self.raw)
        return Value(self.code, raw, self.dtype)

    def largest(self):
        """The largest of a vector of floats, of which none is NaN."""
        raw = self.code.intrinsic("vector.reduce.fmax", self.raw.type, self.raw, fast=("nnan",))
        return Value(self.code, raw, self.dtype)


def _operators():
    """Value's operators, each by way of the NumPy function that an array's goes by."""
    names = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide,
        "lshift": np.left_shift, "rshift": np.right_shift,
        "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    }  # fmt: skip
    for name, ufunc in names.items():
        setattr(Value, f"__{name}__", lambda a, b, f=ufunc: a.__array_ufunc__(f, "__call__", a, b))
        setattr(Value, f"__r{name}__", lambda a, b, f=ufunc: a.__array_ufunc__(f, "__call__", b, a))
    compared = {
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
        "eq": np.equal, "ne": np.not_equal,
    }  # fmt: skip
    for name, ufunc in compared.items():
        setattr(Value, f"__{name}__", lambda a, b, f=ufunc: a.__array_ufunc__(f, "__call__", a, b))
    Value.__hash__ = None


_operators()


class Variable:
    """A number that changes: `now` is what it is."""

    def __init__(self, code, first):
        self.code, self.dtype, self.lanes = code, first.dtype, first.lanes
        with code.build.goto_entry_block():
            self._place = code.build.alloca(first.raw.type)
        self.now = first

    @property
    def now(self):
        kind = type_of(self.dtype, self.lanes)
        return Value(self.code, self.code.build.load(self._place, typ=kind), self.dtype)

    @now.setter
    def now(self, value):
        self.code.build.store(self.code.value(value, self.dtype, self.lanes).raw, self._place)


class Array:
    """Numbers of a kind one after the other in memory, from an address on."""

    def __init__(self, code, pointer, dtype):
        self.code, self.pointer, self.dtype = code, pointer, np.dtype(dtype)

    def at(self, index):
        """The numbers from an index on."""
        index = self.code.value(index, np.int64).raw
        pointer = self.code.build.gep(self.pointer, [index], source_etype=type_of(self.dtype))
        return Array(self.code, pointer, self.dtype)

    def view(self, kind):
        """The same place, as numbers of another kind."""
        return Array(self.code, self.pointer, kind)

    def __getitem__(self, index):
        return self.vector(index, 0)

    def __setitem__(self, index, value):
        value = self.code.value(value, self.dtype)
        stored = self.code.build.store(value.raw, self.at(index).pointer)
        stored.align = self.dtype.itemsize

    def vector(self, index, lanes, mask=None):
        """A vector from an index on; where a mask is false, nothing is read, and it is 0."""
        kind, place = type_of(self.dtype, lanes), self.at(index).pointer
        if mask is None:
            raw = self.code.build.load(place, typ=kind)
            raw.align = self.dtype.itemsize
        else:
            zeros = ir.Constant(kind, None)
            raw = self.code.masked("load", kind, place, self.dtype.itemsize, mask, zeros)
        return Value(self.code, raw, self.dtype)

    def put(self, index, value, mask=None):
        """Stores a vector, or those of its numbers where a mask is true."""
        if mask is None:
            self[index] = value
        else:
            place = self.at(index).pointer
            self.code.masked("store", value.raw.type, place, self.dtype.itemsize, mask, value.raw)


class Code:
    """A function that is being written.

    Args:
        arguments: kinds; a list of one kind is an array of it.
        outside: whether others than the module's functions call it.

    Attributes:
        arguments: values and arrays.
    """

    def __init__(self, module, name, arguments, *, outside=False):
        kinds = [_POINTER if isinstance(kind, list) else type_of(kind) for kind in arguments]
        self.function = ir.Function(module, ir.FunctionType(_VOID, kinds), name)
        self.function.linkage = "" if outside else "internal"
        self.function.attributes.add("nounwind")
        self.build = ir.IRBuilder(self.function.append_basic_block())
        self.arguments = [
            Array(self, raw, kind[0]) if isinstance(kind, list) else Value(self, raw, kind)
            for raw, kind in zip(self.function.args, arguments, strict=True)
        ]

    def value(self, given, dtype, lanes=0):
        """A value of a kind, which it is already, or of a number of Python's or NumPy's."""
        if isinstance(given, Variable):
            given = given.now
        if isinstance(given, Value):
            if given.dtype != np.dtype(dtype):
                raise TypeError(f"{given.dtype} where {dtype} is wanted")
            return given.spread(lanes)
        kind = np.dtype(dtype)
        number = kind.type(given).item()
        if number != (given if kind.kind in "iu" else float(given)):
            raise TypeError(f"{given} is no {kind}")
        raw = type_of(kind, lanes)
        return Value(self, ir.Constant(raw, [number] * lanes if lanes else number), kind)

    def alike(self, a, b):
        """Two values of one kind and as many lanes."""
        a, b = (x.now if isinstance(x, Variable) else x for x in (a, b))
        kind = a.dtype if isinstance(a, Value) else b.dtype
        lanes = max(x.lanes for x in (a, b) if isinstance(x, Value))
        return self.value(a, kind, lanes), self.value(b, kind, lanes)

    def variable(self, given, dtype=None, lanes=0):
        """A variable that begins as what is given."""
        kind = given.dtype if isinstance(given, Value) else dtype
        return Variable(self, self.value(given, kind, lanes))

    def where(self, condition, yes, no):
        """One of two values, or of each lane."""
        yes, no = self.alike(yes, no)
        if condition.lanes:
            yes, no = yes.spread(condition.lanes), no.spread(condition.lanes)
        raw = self.build.select(condition.raw, yes.raw, no.raw)
        return Value(self, raw, yes.dtype)

    def swapped(self, condition, a, b):
        """Two arrays of one kind, the other way round where a condition is true."""
        both = (a, b), (b, a)
        return [
            Array(self, self.build.select(condition.raw, yes.pointer, no.pointer), a.dtype)
            for no, yes in both
        ]

    def places(self, lanes):
        """0, 1, 2, … in the lanes of a vector."""
        raw = ir.Constant(type_of(np.int64, lanes), list(range(lanes)))
        return Value(self, raw, np.int64)

    def when(self, condition):
        """`with code.when(c):`."""
        return self.build.if_then(condition.raw)

    def when_else(self, condition):
        """`with code.when_else(c) as (yes, no): with yes: …; with no: …`."""
        return self.build.if_else(condition.raw)

    @contextmanager
    def loop_while(self, condition):
        """A loop, which goes on while what a function makes is true."""
        test, body, after = (self.function.append_basic_block() for _ in range(3))
        self.build.branch(test)
        self.build.position_at_end(test)
        self.build.cbranch(condition().raw, body, after)
        self.build.position_at_end(body)
        yield
        self.build.branch(test)
        self.build.position_at_end(after)

    @contextmanager
    def loop(self, end, start=0, step=1):
        """A loop over indices, int64."""
        index = self.variable(start, np.int64)
        with self.loop_while(lambda: index.now < end):
            now = index.now
            yield now
            index.now = now + step

    def call(self, function, *given):
        """Calls a function of the module."""
        raws = [
            x.pointer if isinstance(x, Array) else self.value(x, kind).raw
            for x, kind in zip(given, function.kinds, strict=True)
        ]
        self.build.call(function.code.function, raws)

    def intrinsic(self, name, kind, *raws, fast=(), returns=None):
        """Calls LLVM's function `llvm.NAME.KIND`."""
        module = self.function.module
        full = f"llvm.{name}.{_suffix(kind)}"
        if full not in module.globals:
            to = returns or (kind.element if name.startswith("vector.reduce") else kind)
            ir.Function(module, ir.FunctionType(to, [raw.type for raw in raws]), full)
        return self.build.call(module.globals[full], raws, fastmath=fast)

    def instruction(self, name, returns, raws):
        """Calls LLVM's function `llvm.NAME`, which is an instruction of some processor."""
        module, full = self.function.module, f"llvm.{name}"
        if full not in module.globals:
            ir.Function(module, ir.FunctionType(returns, [raw.type for raw in raws]), full)
        return self.build.call(module.globals[full], raws)

    def masked(self, what, kind, place, align, mask, value):
        """Loads or stores a vector in part."""
        module, full = self.function.module, f"llvm.masked.{what}.{_suffix(kind)}.p0"
        given = [place, ir.IntType(32)(align), mask.raw]
        given = [*given, value] if what == "load" else [value, *given]
        if full not in module.globals:
            returns = kind if what == "load" else _VOID
            ir.Function(module, ir.FunctionType(returns, [raw.type for raw in given]), full)
        return self.build.call(module.globals[full], given)

    def prefetch(self, array, count):
        """Asks for the first numbers of an array, so that they are near when they are needed.

        Nothing happens if they are not there at all.
        """
        module, full, number = self.function.module, "llvm.prefetch.p0", ir.IntType(32)
        if full not in module.globals:
            ir.Function(module, ir.FunctionType(_VOID, [_POINTER, *[number] * 3]), full)
        for line in range(0, count * array.dtype.itemsize, LINE):
            place = array.view(np.int8).at(line).pointer
            self.build.call(module.globals[full], [place, number(0), number(2), number(1)])

    def array_at(self, address, dtype):
        """An array at an address, which is a number."""
        return Array(self, self.build.inttoptr(address.raw, _POINTER), dtype)

    def done(self):
        """Ends the function."""
        self.build.ret_void()


class Written:
    """A function of a module, written: what `Code.call` takes."""

    def __init__(self, code):
        code.done()
        self.code, self.kinds = code, [given.dtype for given in code.arguments]


def write(module, name, arguments, *, outside=False):
    """A decorator: the function below writes one of a name, given its code and arguments."""

    def written(body):
        code = Code(module, name, arguments, outside=outside)
        body(code, *code.arguments)
        return Written(code)

    return written


def _signs(dtype):
    return "signed" if dtype.kind == "i" else "unsigned"


def _suffix(kind):
    """How LLVM's functions name a type."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    return {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(kind) or f"i{kind.width}"
