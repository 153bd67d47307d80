"""The page of the node: what it has done, what waits, and what needs somebody, without JavaScript and without an identifier."""
