"""How busy the machine is while a run trains: processor, memory and, where there is one, NVIDIA's GPU."""

import shutil
import subprocess
import threading
from statistics import fmean
from typing import Any

_QUERY = ["--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]


class SystemSampler:
    """Samples in a daemon thread; `take` gives the means since it was asked last, to be recorded with an epoch.

    Names begin with `system/`, which MLflow's UI shows on a page of their own.

    Args:
        interval: Seconds between two samples.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._samples: dict[str, list[float]] = {}
        self._changing = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fdl-system", daemon=True)
        self._thread.start()

    def take(self) -> dict[str, float]:
        """The means since the last call; empty where nothing was sampled since then."""
        with self._changing:
            samples, self._samples = self._samples, {}
        return {name: fmean(values) for name, values in samples.items()}

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        import psutil

        process = psutil.Process()
        process.cpu_percent()  # the first call only sets the mark that the next one measures from
        smi = shutil.which("nvidia-smi")
        while not self._stopped.wait(self._interval):
            sample = processor_and_memory(process) | (graphics(smi) if smi else {})
            with self._changing:
                for name, value in sample.items():
                    self._samples.setdefault(name, []).append(value)


def processor_and_memory(process: Any) -> dict[str, float]:
    """Share of one core that this process uses, in percent, and the memory that it holds, in megabytes."""
    return {
        "system/cpu_percent": process.cpu_percent(),
        "system/memory_megabytes": process.memory_info().rss / 1e6,
    }


def graphics(smi: str) -> dict[str, float]:
    """Use of each GPU in percent and its used memory in megabytes; empty where the driver does not answer."""
    try:
        answer = subprocess.run([smi, *_QUERY], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return parsed(answer)


def parsed(answer: str) -> dict[str, float]:
    """The lines of `nvidia-smi`: number, use in percent, used memory in mebibytes; `[N/A]` is left out."""
    sample = {}
    for line in answer.splitlines():
        gpu, use, memory = (field.strip() for field in line.split(","))
        if use.replace(".", "").isdigit():
            sample[f"system/gpu_{gpu}_percent"] = float(use)
        if memory.replace(".", "").isdigit():
            sample[f"system/gpu_{gpu}_memory_megabytes"] = float(memory) * 1.048576
    return sample
