"""Settings of every process, from the environment (`HANSARD_*`); docs/settings.md lists them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.node_labels import parse_labels


class Settings(BaseSettings):
    """What an operator may set. Addresses left empty mean the embedded servers of `hansard up`."""

    model_config = SettingsConfigDict(env_prefix="HANSARD_", extra="ignore")

    data_dir: Path = Field(Path("~/.hansard"), description="Folder of everything kept on disk.")
    secret: str = Field(
        "",
        description="Signs page cursors and keys login names; the same for all API processes. "
        "After a change all logins must be given anew.",
    )
    secrets_key: str = Field(
        "",
        description="File with the key that values of secrets are sealed with, the same for all "
        "API processes and dispatchers; made if it is not there. Empty: `credentials/secrets` in "
        "the data folder.",
    )
    host: str = Field("127.0.0.1", description="Address the HTTP API listens on.")
    port: int = Field(0, description="Port of the HTTP API; 0 picks a free one and remembers it.")
    api_url: str = Field("", description="Where nodes reach the HTTP API.")
    nats_url: str = Field("", description="NATS for the API and the dispatcher (writer rights).")
    nats_admin_url: str = Field("", description="NATS user that creates the streams.")
    nats_reader_url: str = Field("", description="NATS user that only reads.")
    nats_telemetry_url: str = Field("", description="NATS user of this node's agent.")
    nats_replicas: int = Field(1, description="Copies of each stream on a NATS cluster.")
    postgres_url: str = Field("", description="PostgreSQL 15 or newer for the read models.")
    ray_address: str = Field("", description="Address of a Ray cluster to run on.")
    ray_network: str = Field(
        "",
        description="File that names the process in whose network Ray is reached; `hansard up` "
        "writes it. Empty: in that of the dispatcher.",
    )
    artifacts_url: str = Field(
        "",
        description="Where artifacts and files lie: a folder, `file:///path` or "
        "`s3://bucket/prefix`; empty is `files` in the data folder.",
    )
    artifact_grace_hours: float = Field(
        24.0, ge=0, description="Stored bytes that nothing needs are kept this long."
    )
    backend: Literal["ray", "local"] = Field("ray", description="Where runs are placed.")
    node: str = Field("local", description="Name of this node.")
    cluster: str = Field(
        "",
        description="Address of this machine at which others may join it as nodes; empty: none "
        "may. Then the API, NATS and Ray listen there.",
    )
    sandbox: Literal["auto", "none", "limits", "bubblewrap"] = Field(
        "auto",
        description="How much steps are kept apart from their node; `auto` is the strongest level "
        "that works there. See isolation.md.",
    )
    environments_dir: Path | None = Field(
        None,
        description="Folder of the environments built on this node, which platforms of one user "
        "may share; empty is `envs` in the data folder.",
    )
    variant_indexes: dict[str, str] = Field(
        {},
        description="Indexes of builds for kinds of accelerators, beside pip's own sources: JSON "
        'such as `{"cpu": "https://…", "cu130": "https://…"}`. See environments.md.',
    )
    environments_mb: int = Field(
        51_200,
        ge=0,
        description="Above this size of a node's environments those unused for longest go; 0 keeps "
        "all.",
    )
    step_disk_mb: int = Field(
        0, ge=0, description="Disk that a step may fill; 0 is most of what is free at its start."
    )
    step_processes: int = Field(
        4096, ge=16, description="Processes and threads that a step may have at one time."
    )
    min_free_mb: int = Field(512, description="Below this much free disk, writes are refused.")
    policy_loss_limit: int = Field(
        1000, description="More lost rows than this must be confirmed when a policy changes."
    )
    policy_four_eyes: bool = Field(
        False, description="A policy is activated only once somebody else has approved it."
    )
    open_invitations: bool = Field(
        True,
        description="Managers' invitations may register new people; otherwise they admit known "
        "users only.",
    )
    outside_silence_s: float = Field(
        60.0, gt=0, description="A run in a process of its user is lost after so long a silence."
    )
    audit_outlets: str = Field(
        "",
        description="Where signed checkpoints go besides the record: folders, "
        "`s3://bucket/prefix`, `https://...`, separated by blanks. See audit.md.",
    )
    audit_token_file: Path | None = Field(
        None, description="File of the bearer token that goes along to `https://` outlets."
    )
    audit_private: bool = Field(
        False, description="Outlets may be inside a private network, and without TLS."
    )
    gpus: int = Field(0, description="GPUs of this node offered to runs; 0 offers all.")
    slots: int = Field(0, description="CPUs of this node offered to runs; 0 offers all.")
    node_labels: str = Field(
        "", description="Labels of this node that runs may ask for: `pool=a100,zone=x`."
    )

    @field_validator("node_labels")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_labels(text)
        return text

    @field_validator("audit_outlets")
    @classmethod
    def _places(cls, text: str) -> str:
        for place in text.split():
            if not place.startswith(("/", "file:///", "s3://", "https://", "http://")):
                raise ValueError("an outlet is an absolute folder, s3://..., or https://...")
        return text

    @property
    def address(self) -> str:
        """The address that the HTTP API listens on."""
        return self.cluster or self.host

    @property
    def labels(self) -> dict[str, str]:
        """The labels of this node."""
        return parse_labels(self.node_labels)

    @property
    def folder(self) -> Path:
        """The data folder, with `~` resolved."""
        return self.data_dir.expanduser().resolve()

    @property
    def secrets_key_file(self) -> Path:
        """File with the key that values of secrets are sealed with."""
        return self.folder / Path(self.secrets_key or "credentials/secrets").expanduser()

    @property
    def files(self) -> Path:
        """Folder of artifacts and files; with S3 only of what is on its way there."""
        if not self.artifacts_url or self.artifacts_url.startswith("s3://"):
            return self.folder / "files"
        return Path(self.artifacts_url.removeprefix("file://"))

    @property
    def work(self) -> Path:
        """Folder in which this node executes attempts."""
        return self.folder / "work"

    @property
    def environments(self) -> Path:
        """Folder of the environments built on this node."""
        given = self.environments_dir
        return given.expanduser().resolve() if given else self.folder / "envs"
