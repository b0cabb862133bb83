# SPDX-License-Identifier: Apache-2.0
"""From raw columns to a model's matrix and on to its scores, the same in training and in serving.

Nothing here reads a model spec, touches the network or trains: what was learnt from the training data is in
`transform.json`, and these modules only apply it. `import kelp.frame.transform` needs numpy and pydantic alone.
"""
