"""Processes to run seeds in, for a process that may have used gRPC: so they are not forked from it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def seed_pool() -> ProcessPoolExecutor:
    """Make a pool with a process for each core."""
    return ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn"))
