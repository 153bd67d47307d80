"""One command per verb: parse, call, print."""
