"""System metrics of this very process."""

import time

import psutil
import pytest

from fdl_zoo.tracking.system import SystemSampler, graphics, parsed


def test_means_of_this_process_since_the_last_call():
    sampler = SystemSampler(interval=0.02)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(1000))
    means = sampler.take()
    sampler.close()
    assert means["system/cpu_percent"] > 5
    assert means["system/memory_megabytes"] == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.2)
    sampler.take()
    assert sampler.take() == {}


def test_lines_of_the_driver():
    answer = "0, 37, 1024\n1, [N/A], 2048\n"
    assert parsed(answer) == {
        "system/gpu_0_percent": 37.0,
        "system/gpu_0_memory_megabytes": pytest.approx(1073.741824),
        "system/gpu_1_memory_megabytes": pytest.approx(2147.483648),
    }


def test_driver_that_fails_is_no_error():
    assert graphics("false") == {}
