"""One trace for the steps of a turn, found by the ids that the protocols of models carry."""
