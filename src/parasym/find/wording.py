"""What instructions do, and what they let through, in words."""

from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
)

DOES: dict[type[Instruction], str] = {
    Contract: "contracts",
    Normalize: "normalizes",
    Fixed: "maps entries by a rule of its own",
    Reshape: "reshapes",
    Permute: "permutes axes",
    Expand: "repeats entries",
    Slice: "takes a slice",
    Cat: "joins",
    Rotary: "rotates planes by position",
    Pin: "pins what it touches",
}

LETS: dict[Fn, str] = {
    Fn.ADD: "what is added must move alike",
    Fn.MUL: "a product moves as its factors together",
    Fn.LINEAR: "a multiple moves as what it is a multiple of",
    Fn.HOMOGENEOUS: "a homogeneous function lets positive scales pass, and no sign",
    Fn.ABS: "an absolute value lets positive scales pass, and no sign",
    Fn.ODD: "an odd function lets signs pass, and no scale",
    Fn.EVEN: "an even function does not see signs, and lets no scale pass",
    Fn.ORDER: "a comparison lets nothing pass but a positive scale of both sides",
    Fn.EQUALITY: "a comparison lets nothing pass but a scale of both sides",
    Fn.GENERIC: "a function of single entries lets neither scales nor signs pass",
}


def does(step: Instruction) -> str:
    """Return what an instruction does.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Pointwise):
        plain = {Fn.ADD: "adds", Fn.MUL: "multiplies", Fn.LINEAR: "takes a multiple"}
        return plain.get(step.fn, "applies a function to every entry")
    if isinstance(step, Reduce):
        return {"max": "takes the largest"}.get(step.fn, f"takes the {step.fn}" if step.fn in ("sum", "mean") else "reduces")
    return DOES[type(step)]


def lets(step: Instruction) -> str:
    """Return what an instruction lets through, where a scale or a sign is asked for.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Pointwise):
        return LETS[step.fn]
    if isinstance(step, Normalize):
        if not step.odd:
            return "a softmax sees every scale and every sign"
        return "a normalization sees the scale of single entries" + ("" if step.scale_free else ", and by its epsilon any scale")
    if isinstance(step, Reduce):
        plain = step.fn in ("sum", "mean")
        return f"a {step.fn} tells entries apart that are scaled by themselves" if plain else "a maximum lets no sign pass"
    if isinstance(step, Contract):
        return "what meets in a product must cancel"
    if isinstance(step, (Pin, Fixed)) and step.reason:
        return step.reason
    return "the operation tells entries apart" if isinstance(step, Fixed) else f"it {does(step)}"


def mixes(step: Instruction) -> str:
    """Return why an instruction keeps channels from being mixed.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Pointwise):
        if step.fn is Fn.ADD:
            return "what is added is the same for all channels"
        return "a product entry by entry" if step.fn is Fn.MUL else "a function of every entry by itself"
    if isinstance(step, Normalize):
        return "a normalization is no linear map"
    if isinstance(step, Reduce):
        return "channels are summed" if step.fn in ("sum", "mean") else "channels are compared entry by entry"
    if isinstance(step, Expand):
        return "the axis is made by repeating entries"
    return "a map of every entry by itself" if isinstance(step, (Fixed, Contract)) else lets(step)


def holds(value: Value, *, output: bool) -> str:
    """Return why nothing acts on a value that an instruction touches; empty if it may.

    Args:
        value: The value.
        output: Whether the model returns it.
    """
    if output:
        return "an output of the model must not change"
    return {Kind.INPUT: "an input of the model does not change", Kind.CONSTANT: "a constant does not change"}.get(value.kind, "")


def pins(step: Instruction) -> str:
    """Return why an instruction pins an axis.

    Args:
        step: A pin, or a fixed map on axes that do not pass.
    """
    if isinstance(step, Pin):
        return step.reason or "its numbers tell entries apart"
    reason = step.reason if isinstance(step, Fixed) else ""
    return reason or "the operation tells the entries of this axis apart"


def sees(step: Instruction) -> str:
    """Return why an instruction does not hand on a constant that is added to what it reads.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Pointwise) and step.fn is Fn.MUL:
        return "a product with what is no vector of parameters sees a constant that is added"
    if isinstance(step, Pointwise) and step.fn not in (Fn.ADD, Fn.LINEAR):
        return "a function that is not linear sees a constant that is added"
    if isinstance(step, Normalize):
        return "a normalization sees what differs along its axes"
    if isinstance(step, Contract):
        return "the product sees it, and it goes on along an axis where no parameter can take it away"
    return "it hands on no constant along this axis"
