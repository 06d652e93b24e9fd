"""The users of the embedded nats-server: those of the platform, and one for each node that joined.

They lie in a file beside the server's configuration, which it reads again while it runs.
"""

import json
import os
import signal
from pathlib import Path

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats_rights import RIGHTS, Rights, of_node

USERS_FILE = "users.conf"
PID_FILE = "server.pid"
_NODE = "node-"


def admit(folder: DataFolder, node: str) -> tuple[str, str]:
    """Name and password of a node's agent, which the running server knows from now on.

    Raises OSError where no server runs.
    """
    user = f"{_NODE}{node}"
    password = folder.credential(_credential(user))
    write_users(folder)
    os.kill(int((folder.folder("nats") / PID_FILE).read_text()), signal.SIGHUP)
    return user, password


def write_users(folder: DataFolder) -> None:
    """Write the file anew: whole at any moment, mode 0600."""
    users = {**RIGHTS, **{user: of_node(user.removeprefix(_NODE), user) for user in _nodes(folder)}}
    told = {"users": [_user(folder, name, rights) for name, rights in users.items()]}
    path = folder.folder("nats") / USERS_FILE
    part = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"authorization: {json.dumps(told)}\n")
    part.rename(path)


def _nodes(folder: DataFolder) -> list[str]:
    """Users of nodes that have joined: their credentials say which there are."""
    found = Path(folder.folder("credentials")).glob(f"{_credential(_NODE)}*")
    return sorted(path.name.removeprefix(_credential("")) for path in found)


def _credential(user: str) -> str:
    return f"nats-{user}"


def _user(folder: DataFolder, name: str, rights: Rights) -> dict[str, object]:
    return {
        "user": name,
        "password": folder.credential(_credential(name)),
        "permissions": {
            "publish": {"allow": list(rights.publish)},
            "subscribe": {"allow": list(rights.subscribe)},
        },
    }
