"""How often what changes is shown before it is due: the less there is of it, the sooner.

A turn is a commit.
"""

#: Running totals, and rows of whole sessions.
TOTALS_A_TURN = 16
ROWS_A_TURN = 64


class Pace:
    """A leaky bucket that leaks by turns: ``a_turn`` things are said in each, on average."""

    def __init__(self, a_turn: int) -> None:
        self._a_turn = a_turn
        self._owed = 0

    def may_say(self, number: int) -> bool:
        """Take a turn; tell whether so many things may be said in it. The turns after it pay."""
        self._owed = max(0, self._owed - self._a_turn)
        if self._owed or not number:
            return False
        self._owed = number
        return True
