"""Several threads at once, and a process that forks after importing."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import flashcore
from problems import Problem, oracle, random_inputs

PROBLEMS = [
    Problem(1, 4, 4, 128, 128, 64, mask="causal_top_left"),
    Problem(2, 4, 2, 65, 200, 64),
    Problem(1, 2, 1, 33, 129, 128, window=(7, 7)),
    Problem(3, 2, 2, 1, 300, 64),
]


def solve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = PROBLEMS[seed % len(PROBLEMS)]
    q, k, v = random_inputs(problem, rng)
    o, lse = flashcore.attention(q, k, v, return_lse=True, **problem.options)
    oracle(problem, q, k, v).check(o, "float32", lse)


def test_threads_give_right_answers_at_once():
    with ThreadPoolExecutor(8) as pool:
        for answer in [pool.submit(solve, seed) for seed in range(64)]:
            answer.result()


def test_other_threads_run_while_a_call_computes():
    q, k, v = (np.ones((1, 8, 2048, 128), np.float32) for _ in range(3))
    steps, done = [0], threading.Event()

    def count():
        while not done.wait(1e-4):
            steps[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = steps[0]
    flashcore.attention(q, k, v)
    counted = steps[0] - before
    done.set()
    thread.join()
    assert counted > 10  # one step, when the call returns, says nothing


def test_threads_remember_their_own_choice():
    solve(0)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="has not called"):
        pool.submit(flashcore.last_choice).result()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("call_before", [False, True])
def test_a_child_of_fork_computes_on_the_cpu(call_before):
    if call_before:
        solve(0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for seed in range(8):
                solve(seed)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def attention_on_gpu(queue):
    import torch

    try:
        q = torch.zeros(1, 1, 64, 64, device="cuda", dtype=torch.float16)
        queue.put(str(flashcore.attention(q, q.clone(), q.clone()).sum().item()))
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_child_uses_a_gpu_or_says_why_not(torch, method):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA GPU here")
    q = torch.zeros(1, 1, 64, 64, device="cuda", dtype=torch.float16)
    flashcore.attention(q, q.clone(), q.clone())
    context = multiprocessing.get_context(method)
    if method == "fork":
        k, v, out = (torch.zeros_like(q) for _ in range(3))  # torch lets a child make none
        answer = in_forked_child(lambda: flashcore.attention(q, k, v, out=out))
        assert (
            answer.startswith("RuntimeError: device: CUDA cannot be used here")
            and "spawn" in answer
        )
        return
    queue = context.Queue()
    child = context.Process(target=attention_on_gpu, args=(queue,))
    child.start()
    assert queue.get(timeout=120) == "0.0"
    child.join()


def in_forked_child(call) -> str:
    """What a call in a child of fork() answers or raises, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = str(call())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return answer.read()
