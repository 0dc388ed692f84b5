"""What can go wrong with `seckill up`.

::

    SeckillError
    └── UpError            the text is one sentence for the operator
        ├── CannotStart    the operator can remove the cause: exit code 2
        └── GaveUp         a part failed again and again: everything was stopped, exit code 1
"""

from gateway.errors import SeckillError


class UpError(SeckillError):
    """Base of what `seckill up` raises on purpose."""


class CannotStart(UpError):
    """Something outside stands in the way; the text says what, and what to do."""


class GaveUp(UpError):
    """A part failed again and again; the text says which."""
