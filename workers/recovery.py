"""Finishes an attempt whose launcher died: nothing of the step lives on, no point is lost."""

from hansard.formats.journal import Journal
from hansard.point_pump import PointPump, PointsDamaged
from workers.attempt_folder import AttemptFolder
from workers.stragglers import kill_stragglers


def finish_if_lost(folder: AttemptFolder) -> bool:
    """Tell the end of an attempt if nobody else can any more; False while its launcher lives.

    Blocks for seconds. Raises OSError when the disk is full: call it again later.
    """
    with folder.held() as held:
        if not held or not kill_stragglers(folder.step):
            return False
        with Journal(folder.outbox) as journal:
            if not journal.ended:
                _finish(folder, journal)
    return True


def _finish(folder: AttemptFolder, journal: Journal) -> None:
    points = PointPump(folder.step, folder.points, journal)
    damage = ""
    try:
        while points.pump():
            pass
    except PointsDamaged as error:
        damage = f"; {error}"
    journal.end(
        {
            "outcome": "lost",
            "reason": f"the launcher died{damage}",
            "exit_code": None,
            "signal": None,
            "metric_points": None,
            "series_root": None,
            "metric_points_lost": points.lost,
        }
    )
