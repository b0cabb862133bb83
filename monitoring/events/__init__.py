# SPDX-License-Identifier: Apache-2.0
"""Answered requests, kept: `python -m monitoring.events --help` starts what a model server sends its log to.

A request's body becomes events or a refusal in `received`; `schema` and `rows` are the database, `store` keeps events
in it once each, the oldest going first when there are too many; `app` is all that behind HTTP.
"""
