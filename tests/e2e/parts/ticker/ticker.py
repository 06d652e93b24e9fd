"""Logs numbers at a steady pace: what is lost or doubled can be counted."""

import time

import hansard


class Ticker(hansard.Executor):
    """Logs `points` points of two keys, `pause` seconds apart."""

    def execute(self, points: int = 100, pause: float = 0.01) -> dict[str, int]:
        hansard.log_params({"points": points})
        hansard.log_text("remark", "so it begins")
        started = time.time()
        for step in range(points):
            hansard.log_metric("number", step, step=step)
            hansard.log_metric("square", step * step, step=step)
            print(f"line {step}", flush=True)
            time.sleep(max(0.0, started + (step + 1) * pause - time.time()))
        return {"points": points}
