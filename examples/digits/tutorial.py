"""Your first model: push three parts, run them, watch the loss, use the model that comes out.

Run it beside a platform (`hansard up`): `python examples/digits/tutorial.py`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import hansard

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """What the tutorial ends with."""

    run: hansard.Run
    model_version: str
    accuracy: float  # of the downloaded model, on the test split


def main(client: hansard.Client) -> Outcome:
    """The whole story."""
    print("Pushing an executor, a model and a dataset loader ...")
    for part in ("executor", "model", "loader"):
        version = client.push(HERE / part)
        print(f"  {part}: version {version.number} ({version.id})")

    print("Asking for a run ...")
    run = client.run(
        "train classifier",
        slots={"model": hansard.Fill("convnet", {"width": 32}, keep=True), "data": "digits"},
        parameters={"epochs": 8},
        experiment="digits",
        seed=7,
    )
    watch(client, run)
    run = client.wait(run)
    if run.status != "succeeded":
        sys.exit(f"the run has {run.status}: {run.reason}")

    version = client.models.version("convnet")
    print(f"Kept as version {version.number} of convnet. Downloading it ...")
    with TemporaryDirectory() as folder:
        accuracy = use(client.download(version, Path(folder) / "weights"))
    print(f"The downloaded model is right on {accuracy:.1%} of digits it has never seen.")
    return Outcome(run, version.id, accuracy)


def watch(client: hansard.Client, run: hansard.Run) -> None:
    """Print what happens as it happens."""
    for event in client.live(run=run):
        match event:
            case hansard.StatusEvent(status=str(status)):
                print(f"  run is {status}")
            case hansard.MetricsEvent(series=series):
                newest = (f"{s.key} {s.values[-1]:.4f} (step {s.steps[-1]})" for s in series)
                print("  " + "  ".join(newest))
            case hansard.LogEvent(lines=lines):
                print("\n".join(f"  | {line}" for line in lines))


def use(weights: Path) -> float:
    """Load the downloaded weights here, without the platform, and measure them."""
    sys.path += [str(HERE / "model"), str(HERE / "loader")]
    from convnet import ConvNet  # noqa: PLC0415 - lies in the folder that was pushed
    from digits import Digits  # noqa: PLC0415 - same

    model = ConvNet(width=32)
    model.load(weights)
    test = Digits().load()["test"]
    return float((model.predict(test.inputs) == test.targets).mean())


if __name__ == "__main__":
    with hansard.Client() as client:
        main(client)
