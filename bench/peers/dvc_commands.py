"""DVC's Python interface as a process that obeys; runs in the peers' environment."""

from pathlib import Path

from dvc.repo import Repo  # type: ignore[import-not-found]

from bench.peers.obey import obey, seconds


def main() -> None:
    """Obey; repositories stay open between commands."""
    repositories: dict[str, Repo] = {}

    def create(folder: str, remote: str, links: str) -> None:
        Path(folder).mkdir(parents=True)
        Repo.init(folder, no_scm=True).close()
        with Repo(folder) as created, created.config.edit() as config:
            config["remote"] = {"store": {"url": remote}}
            config["core"]["remote"] = "store"
            if links:
                config["cache"]["type"] = links
        repositories[folder] = Repo(folder)

    def add(folder: str, path: str) -> float:
        return seconds(lambda: repositories[folder].add(path))

    def push(folder: str, target: str) -> float:
        return seconds(lambda: repositories[folder].push([target]))

    def pull(folder: str, target: str) -> float:
        return seconds(lambda: repositories[folder].pull([target]))

    def close(folder: str) -> None:
        repositories.pop(folder).close()

    obey({"create": create, "add": add, "push": push, "pull": pull, "close": close})


if __name__ == "__main__":
    main()
