"""pynetdicom's state machine of the upper layer, which ends an association on what it cannot handle instead of raising."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.fsm import StateMachine

_ENDED = ("Sta1", "Sta13")

if TYPE_CHECKING:
    from pynetdicom.dul import DULServiceProvider


class EndingStateMachine(StateMachine):
    """The state machine of one association.

    Parameters
    ----------
    dul : DULServiceProvider
        The upper layer of the association.
    log : callable
        Takes the sentence that says why an association was ended.
    """

    def __init__(self, dul: "DULServiceProvider", log: Callable[[str], None]) -> None:
        super().__init__(dul)
        self._log = log

    def do_action(self, event: str) -> None:
        """Handle an event; an error ends the association, because its messages cannot be followed any more.

        Parameters
        ----------
        event : str
            ``Evt1`` to ``Evt19`` (PS3.8 table 9-10).
        """
        try:
            super().do_action(event)
        except Exception as error:  # pynetdicom raises whatever decoding raises
            self._log(f"an association was ended, because a message could not be decoded ({type(error).__name__})")
            association = self.dul.assoc
            association.is_aborted, association.is_established = True, False
            association._kill = self.dul._kill_thread = True
        self._wake_association()

    def _wake_association(self) -> None:
        """Tell the association, which waits for its request, that the connection has ended before there was a valid one."""
        association = self.dul.assoc
        has_ended = self.current_state in _ENDED or self.dul._kill_thread
        if has_ended and association.requestor.primitive is None and self.dul.to_user_queue.empty():
            self.dul.to_user_queue.put(cast(Any, None))  # what pynetdicom takes for the end of the wait
