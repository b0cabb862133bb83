# SPDX-License-Identifier: Apache-2.0
"""Everything that answers requests or decides who does."""
