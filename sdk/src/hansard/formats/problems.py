"""What is wrong with a bundle, in the words that a user sees."""


class BundleError(ValueError):
    """A bundle is refused: a stable code, one sentence, and the file (and line) it is about."""

    def __init__(self, problem_code: str, detail: str, where: str | None = None) -> None:
        super().__init__(f"{where}: {detail}" if where else detail)
        self.problem_code = problem_code
        self.detail = detail
        self.where = where
