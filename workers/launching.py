"""What a launcher needs to know of an attempt, collected from the record."""

from typing import Any

from domain.run import Run
from domain.sandbox import Level
from domain.version import Version
from infra.event_store import Session
from infra.settings import Settings
from workers.granted_secrets import Granted
from workers.launch_spec import LaunchSpec

GRACE_S = 10.0


async def launch_spec(
    session: Session, run: Run, token: str, fence: int, settings: Settings, secrets: Granted
) -> LaunchSpec:
    """The specification of the run's present attempt, with the values of its secrets."""
    executor = await session.load(Version, run.executor)
    slots = {
        name: await _part(session, slot, keep=name in run.kept_slots)
        for name, slot in run.slots.items()
    }
    datasets = {name: await _dataset(session, id_) for name, id_ in run.datasets.items()}
    workers = run.resources.get("workers", 1)
    assert run.node is not None
    assert run.project is not None
    return LaunchSpec(
        run=run.id,
        attempt=run.attempt,
        project=run.project,
        experiment=run.experiment,
        node=run.node,
        fence=fence,
        api_url=settings.api_url,
        token=token,
        work=str(settings.work),
        environments=str(settings.environments),
        lock=run.lock,
        executor=_code(executor, run.parameters),
        slots=slots,
        datasets=datasets,
        seed=run.seed,
        variables={n: value for n, value in run.variables.items() if n not in secrets.variables},
        secrets=dict(secrets.variables),
        secret_parameters=dict(secrets.parameters),
        cpus=run.resources["cpus"],
        gpus=run.resources["gpus"],
        threads=max(1, run.resources["cpus"] // workers),
        workers=workers,
        wall_time_s=run.resources["wall_time_s"],
        grace_s=GRACE_S,
        memory_mb=run.resources["memory_mb"],
        disk_mb=settings.step_disk_mb,
        processes=settings.step_processes,
        environments_mb=settings.environments_mb,
        sandbox=settings.sandbox,
        least_sandbox=run.resources.get("sandbox", Level.NONE),
        network=run.resources.get("network", False),
    )


async def _part(session: Session, slot: dict[str, Any], *, keep: bool) -> dict[str, Any]:
    version = await session.load(Version, slot["version"])
    held = {"content": version.content, "weights": version.artifacts}
    return {
        **_code(version, slot["parameters"]),
        **held,
        "keep": keep,
        "methods": slot["methods"],
    }


async def _dataset(session: Session, version_id: str) -> dict[str, Any]:
    version = await session.load(Version, version_id)
    mode = version.details.get("mode", "copy")
    return {"version": version_id, "content": version.content, "mode": mode}


def _code(version: Version, parameters: dict[str, Any]) -> dict[str, Any]:
    source = version.code
    return {
        "bundle": source["bundle"],
        "layers": source.get("layers", []),
        "entry": source["entry"],
        "parameters": parameters,
    }
