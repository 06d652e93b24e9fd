"""MLflow's client as a process that obeys; runs in the peers' environment."""

import os

from mlflow.tracking import MlflowClient  # type: ignore[import-not-found]

from bench.peers.obey import obey, seconds


def main() -> None:
    """Create an experiment at the server of MLFLOW_TRACKING_URI, then obey."""
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.create_experiment("table2")

    def upload(path: str) -> tuple[str, float]:
        run = str(client.create_run(experiment).info.run_id)
        return run, seconds(lambda: client.log_artifact(run, path))

    def download(run: str, name: str, folder: str) -> float:
        return seconds(lambda: client.download_artifacts(run, name, folder))

    obey({"upload": upload, "download": download})


if __name__ == "__main__":
    main()
