# SPDX-License-Identifier: Apache-2.0
"""Runs: how a step executes anywhere, and how a whole pipeline executes on this machine.

`step.run_step` is called inside every step, on a laptop and on a cluster. `runs.create_run` and `local.run_local`
start a compiled pipeline here; `runs.list_runs`, `find_run` and `resumable_run` find what earlier ones left behind.
"""
