# SPDX-License-Identifier: Apache-2.0
"""Names of the columns that prepare writes beside the features; trainers and evaluate read them.

`GROUP` is followed by the name of the protected column. `TIME`, `SERIES`, `NAIVE` (the seasonal naive forecast) and
`SCALE` (its mean error in the row's series) are there for forecasts only.
"""

TARGET = "__target"
VALIDATION = "__validation"
GROUP = "__group:"
LEGACY = "__legacy"
ENTITY = "__entity"
TIME = "__time"
SERIES = "__series"
NAIVE = "__naive"
SCALE = "__scale"
