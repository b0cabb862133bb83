# SPDX-License-Identifier: Apache-2.0
"""Everything that keeps and judges what the model servers answered; it knows nothing of how they answer."""
