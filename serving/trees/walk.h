/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of rows by trees: the sums of the leaves that they reach, found without a branch that depends on a row.
 *
 * A walk down a tree by if and else mispredicts every second node. Here a node's children stand side by side, so the
 * next node is an addition: `position + step + (value < threshold)`. LANES walks advance together, so that one waits
 * for memory while the others compute: LANES rows in one tree, or one row in LANES trees. A leaf's step is 0, and its
 * feature is one that holds NaN in every row, which is less than nothing: a walk that has arrived stays where it is,
 * and each walk takes as many steps as its tree is deep.
 *
 * _kernel.c checks every index once, when a Forest is made; nothing changes afterwards, so that no row, not even one of
 * NaN, leads a walk outside. Portable C99; no flags are needed.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define FEW 8          /* fewer rows go one by one: a block of LANES would take longer */
#define MAX_WIDTH 4095 /* feature * LANES is kept in 16 bits */

typedef struct {
    float threshold;  /* of a leaf: its value */
    uint16_t feature; /* times LANES; width * LANES at a leaf */
    uint16_t step;    /* from here to the child for values that are not less; the child for those that are is next */
} Node;

typedef struct {
    uint32_t root;
    int32_t depth;
    int32_t target;
} Tree;

enum { NONE, SIGMOID, SOFTMAX };

typedef struct {
    ptrdiff_t n_nodes, n_trees, n_targets, width, steps; /* steps: of a row through all trees */
    int post;                                            /* NONE, SIGMOID or SOFTMAX of the sums */
    Node *nodes;
    Tree *each;
    float *base;
} Trees;

typedef struct {
    const char *first;
    ptrdiff_t count, row_stride, column_stride; /* strides in bytes */
} Rows;

#define STEP(lane, column)                                                                                             \
    {                                                                                                                  \
        const Node *node = nodes + at[lane];                                                                           \
        at[lane] += (uint32_t)node->step + (uint32_t)(columns[(uint32_t)node->feature + (column)] < node->threshold);  \
    }
#define ROW_STEP(lane) STEP(lane, lane)
#define TREE_STEP(lane) STEP(lane, 0)
#define ALL_LANES(DO)                                                                                                  \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)

/* Spread rows over the lanes: column by column, LANES values each. One row fills its lane, more fill all of them. */
static void load(const Trees *trees, const Rows *rows, ptrdiff_t first, ptrdiff_t count, float *columns)
{
    for (ptrdiff_t lane = 0; lane < (count == 1 ? 1 : LANES); lane++) {
        const char *value = rows->first + (first + (lane < count ? lane : 0)) * rows->row_stride;
        for (ptrdiff_t column = 0; column < trees->width; column++, value += rows->column_stride)
            memcpy(columns + column * LANES + lane, value, sizeof(float));
    }
}

/* Add up the leaves of `count` rows, at most LANES, side by side. */
static void sum_block(const Trees *trees, const float *columns, ptrdiff_t count, float *sums)
{
    const Node *nodes = trees->nodes;
    for (ptrdiff_t i = 0; i < trees->n_trees; i++) {
        const Tree tree = trees->each[i];
        const Node root = nodes[tree.root];
        uint32_t at[LANES];
        for (uint32_t lane = 0; lane < LANES; lane++) /* of one node, so that it can be done by vectors */
            at[lane] = tree.root + root.step + (uint32_t)(columns[root.feature + lane] < root.threshold);
        for (int32_t depth = 1; depth < tree.depth; depth++) {
            ALL_LANES(ROW_STEP)
        }
        for (ptrdiff_t lane = 0; lane < count; lane++)
            sums[lane * trees->n_targets + tree.target] += nodes[at[lane]].threshold;
    }
}

/* Add up the leaves of the row in the first lane, LANES trees side by side. */
static void sum_row(const Trees *trees, const float *columns, float *sums)
{
    const Node *nodes = trees->nodes;
    for (ptrdiff_t first = 0; first < trees->n_trees; first += LANES) {
        const Tree *group = trees->each + first;
        const int count = trees->n_trees - first < LANES ? (int)(trees->n_trees - first) : LANES;
        uint32_t at[LANES];
        int32_t depth = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const Tree *tree = group + (lane < count ? lane : 0);
            at[lane] = tree->root;
            depth = tree->depth > depth ? tree->depth : depth;
        }
        for (; depth > 0; depth--) {
            ALL_LANES(TREE_STEP)
        }
        for (int lane = 0; lane < count; lane++)
            sums[group[lane].target] += nodes[at[lane]].threshold;
    }
}

/* e^x within 1e-9 of itself, for x from -80 to 80, beyond which it stays as there: the C library's may need -lm. */
static double exponential(double x)
{
    static const double INVERSE[] = {0, 1, 1. / 2, 1. / 3, 1. / 4, 1. / 5, 1. / 6, 1. / 7, 1. / 8, 1. / 9};
    if (x != x)
        return x;
    x = x < -80 ? -80 : x > 80 ? 80 : x;
    const int power = (int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5)); /* e^x = 2^power * e^rest */
    const double rest = x - power * 0.6931471805599453;
    double sum = 1;
    for (int term = 9; term > 0; term--)
        sum = 1 + sum * rest * INVERSE[term];
    const uint64_t bits = (uint64_t)(power + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

static void softmax(float *sums, ptrdiff_t count)
{
    double most = sums[0], total = 0;
    for (ptrdiff_t i = 1; i < count; i++)
        most = sums[i] > most ? sums[i] : most;
    for (ptrdiff_t i = 0; i < count; i++)
        total += exponential(sums[i] - most);
    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] = (float)(exponential(sums[i] - most) / total);
}

/* Add the base to the sums of a row, and make scores of them. */
static void finish(const Trees *trees, float *sums)
{
    for (ptrdiff_t i = 0; i < trees->n_targets; i++) {
        sums[i] += trees->base[i];
        if (trees->post == SIGMOID)
            sums[i] = (float)(1 / (1 + exponential(-sums[i])));
    }
    if (trees->post == SOFTMAX)
        softmax(sums, trees->n_targets);
}

/* Leaves are added in float32 in the order of the trees, then the base: as ONNX Runtime does. */
static void score_rows(const Trees *trees, const Rows *rows, float *columns, float *sums)
{
    const ptrdiff_t n_rows = rows->count, n_targets = trees->n_targets;
    for (int lane = 0; lane < LANES; lane++)
        columns[trees->width * LANES + lane] = (float)NAN;
    memset(sums, 0, (size_t)(n_rows * n_targets) * sizeof(float));
    for (ptrdiff_t row = 0; row < n_rows;) {
        const ptrdiff_t left = n_rows - row, count = left < FEW ? 1 : left < LANES ? left : LANES;
        load(trees, rows, row, count, columns);
        if (count == 1)
            sum_row(trees, columns, sums + row * n_targets);
        else
            sum_block(trees, columns, count, sums + row * n_targets);
        row += count;
    }
    for (ptrdiff_t row = 0; row < n_rows; row++)
        finish(trees, sums + row * n_targets);
}
