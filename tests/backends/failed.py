"""What ends the whole, said so that somebody can go on."""


class BackendsError(Exception):
    """``advice`` says how to go on."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.advice = advice
