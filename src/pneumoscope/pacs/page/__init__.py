"""The page of the node: what it has done, what waits, and what needs attention, without JavaScript and without an identifier."""
