/* SPDX-License-Identifier: Apache-2.0
 *
 * `serving.trees._kernel`: the class Forest, which checks arrays and walks its own copies of them.
 *
 * It needs the limited API of Python 3.11, and may be used by several threads at once.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include <stdlib.h>

#include "walk.h"

#define STEPS_WITH_GIL 20000 /* about 20 microseconds; to wait for the GIL again may take much longer */

typedef struct {
    PyObject_HEAD
    Trees trees;
} Forest;

/* Take a buffer of native numbers of one kind: 'f' float32, 'H' uint16, 'i' int32 (which may be called 'l'). */
static int take(PyObject *object, Py_buffer *buffer, const char *name, char kind, int flags, int dimensions)
{
    if (PyObject_GetBuffer(object, buffer, flags | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s: expected a buffer that is %s", name,
                     flags & PyBUF_WRITABLE ? "writable and C-contiguous" : "readable, with strides as asked for");
        return -1;
    }
    const char *format = buffer->format != NULL ? buffer->format : "B";
    const Py_ssize_t size = kind == 'H' ? 2 : 4;
    const int is_kind = format[0] == kind || (kind == 'i' && format[0] == 'l');
    if (!is_kind || format[1] != '\0' || buffer->itemsize != size || buffer->ndim != dimensions ||
        (uintptr_t)buffer->buf % (uintptr_t)size != 0) {
        PyErr_Format(PyExc_ValueError, "%s: expected format %c of %zd bytes, aligned, in %d dimensions, found %s in %d",
                     name, kind, size, dimensions, format, buffer->ndim);
        PyBuffer_Release(buffer);
        return -1;
    }
    return 0;
}

static void *allocated(Py_ssize_t count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    if (memory == NULL)
        PyErr_NoMemory();
    return memory;
}

static int refuse(const char *name, Py_ssize_t position, const char *expected)
{
    PyErr_Format(PyExc_ValueError, "%s[%zd]: expected %s", name, position, expected);
    return -1;
}

/* Copy the nodes, and check the copies. Every step from every node, whatever a row holds, MUST end at a node. */
static int copy_nodes(Trees *trees, const float *thresholds, const uint16_t *features, const uint16_t *steps)
{
    trees->nodes = allocated(trees->n_nodes, sizeof(Node));
    if (trees->nodes == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < trees->n_nodes; i++) {
        Node *node = &trees->nodes[i];
        node->threshold = thresholds[i];
        node->feature = features[i];
        node->step = steps[i];
        if (node->feature > trees->width)
            return refuse("features", i, "at most the width");
        if (i + node->step + (node->feature < trees->width) >= trees->n_nodes)
            return refuse("steps", i, "a step to a node");
        node->feature = (uint16_t)(node->feature * LANES);
    }
    return 0;
}

/* Copy the trees likewise. All of them are less deep than there are nodes, which bounds the time that a row takes. */
static int copy_trees(Trees *trees, const int32_t *roots, const int32_t *depths, const int32_t *targets)
{
    trees->each = allocated(trees->n_trees, sizeof(Tree));
    if (trees->each == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < trees->n_trees; i++) {
        Tree *tree = &trees->each[i];
        tree->root = (uint32_t)roots[i];
        tree->depth = depths[i];
        tree->target = targets[i];
        if (tree->root >= (size_t)trees->n_nodes)
            return refuse("roots", i, "a node");
        if (tree->target < 0 || tree->target >= trees->n_targets)
            return refuse("targets", i, "a target");
        if (tree->depth < 0 || tree->depth >= trees->n_nodes - trees->steps)
            return refuse("depths", i, "from 0 on, and fewer steps in all than there are nodes");
        if (tree->depth == 0 && trees->nodes[tree->root].feature != trees->width * LANES)
            return refuse("depths", i, "a step from a root that is no leaf");
        trees->steps += tree->depth;
    }
    return 0;
}

enum { THRESHOLDS, FEATURES, STEPS, ROOTS, DEPTHS, TARGETS, BASE, ARRAYS };
static const char *const NAMES[] = {"thresholds", "features", "steps", "roots", "depths", "targets", "base"};
static const char KINDS[] = "fHHiiif";

static int fill(Trees *trees, const Py_buffer *arrays)
{
    trees->n_nodes = arrays[THRESHOLDS].shape[0];
    trees->n_trees = arrays[ROOTS].shape[0];
    trees->n_targets = arrays[BASE].shape[0];
    const char *expected = NULL;
    if (trees->width < 1 || trees->width > MAX_WIDTH)
        expected = "a width from 1 to MAX_WIDTH";
    if (trees->post < NONE || trees->post > SOFTMAX)
        expected = "one of NONE, SIGMOID and SOFTMAX";
    if (trees->n_nodes < 1 || trees->n_nodes > INT32_MAX || trees->n_trees < 1 || trees->n_targets < 1)
        expected = "one or more nodes, trees and targets";
    if (arrays[FEATURES].shape[0] != trees->n_nodes || arrays[STEPS].shape[0] != trees->n_nodes)
        expected = "a feature and a step for each threshold";
    if (arrays[DEPTHS].shape[0] != trees->n_trees || arrays[TARGETS].shape[0] != trees->n_trees)
        expected = "a depth and a target for each root";
    if (expected != NULL) {
        PyErr_Format(PyExc_ValueError, "expected %s", expected);
        return -1;
    }
    trees->base = allocated(trees->n_targets, sizeof(float));
    if (trees->base == NULL)
        return -1;
    memcpy(trees->base, arrays[BASE].buf, (size_t)trees->n_targets * sizeof(float));
    if (copy_nodes(trees, arrays[THRESHOLDS].buf, arrays[FEATURES].buf, arrays[STEPS].buf) < 0)
        return -1;
    return copy_trees(trees, arrays[ROOTS].buf, arrays[DEPTHS].buf, arrays[TARGETS].buf);
}

static PyObject *forest_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"thresholds", "features", "steps", "roots", "depths",
                            "targets",    "base",     "width", "post",  NULL};
    PyObject *given[ARRAYS];
    Py_buffer arrays[ARRAYS];
    Py_ssize_t width;
    int post;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOni", words, &given[0], &given[1], &given[2], &given[3],
                                     &given[4], &given[5], &given[6], &width, &post))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Forest *forest = (Forest *)allocate(type, 0); /* zeroed, so that it can be freed at any point */
    if (forest == NULL)
        return NULL;
    forest->trees.width = width;
    forest->trees.post = post;
    int taken = 0, is_filled = 0;
    while (taken < ARRAYS && take(given[taken], &arrays[taken], NAMES[taken], KINDS[taken], PyBUF_C_CONTIGUOUS, 1) == 0)
        taken++;
    if (taken == ARRAYS)
        is_filled = fill(&forest->trees, arrays) == 0;
    while (taken > 0)
        PyBuffer_Release(&arrays[--taken]);
    if (!is_filled) {
        Py_DECREF(forest);
        return NULL;
    }
    return (PyObject *)forest;
}

static void forest_dealloc(PyObject *self)
{
    Forest *forest = (Forest *)self;
    PyTypeObject *type = Py_TYPE(self);
    free(forest->trees.nodes);
    free(forest->trees.each);
    free(forest->trees.base);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static int score_checked(const Trees *trees, const Py_buffer *from, const Py_buffer *to)
{
    if (from->shape[1] != trees->width || to->shape[0] != from->shape[0] || to->shape[1] != trees->n_targets) {
        PyErr_Format(PyExc_ValueError, "expected shapes (n, %zd) and (n, %zd), found (%zd, %zd) and (%zd, %zd)",
                     trees->width, trees->n_targets, from->shape[0], from->shape[1], to->shape[0], to->shape[1]);
        return -1;
    }
    const Rows rows = {from->buf, from->shape[0], from->strides[0], from->strides[1]};
    float *columns = malloc((size_t)(trees->width + 1) * LANES * sizeof(float));
    if (columns == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (rows.count > STEPS_WITH_GIL / (trees->steps + 1)) {
        Py_BEGIN_ALLOW_THREADS
        score_rows(trees, &rows, columns, to->buf);
        Py_END_ALLOW_THREADS
    } else {
        score_rows(trees, &rows, columns, to->buf);
    }
    free(columns);
    return 0;
}

PyDoc_STRVAR(score_doc, "Write the scores of rows, float32 (n, width) of any strides, to float32 (n, targets).");

static PyObject *forest_score(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer rows, scores;
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "expected rows and scores, found %zd arguments", count);
        return NULL;
    }
    if (take(args[0], &rows, "rows", 'f', PyBUF_STRIDED_RO, 2) < 0)
        return NULL;
    if (take(args[1], &scores, "scores", 'f', PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, 2) < 0) {
        PyBuffer_Release(&rows);
        return NULL;
    }
    const int done = score_checked(&((const Forest *)self)->trees, &rows, &scores);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&scores);
    if (done < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef forest_methods[] = {
    {"score", (PyCFunction)(void (*)(void))forest_score, METH_FASTCALL, score_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot forest_slots[] = {
    {Py_tp_doc, (void *)"Trees that score rows; it may be used by several threads at once."},
    {Py_tp_new, (void *)forest_new},
    {Py_tp_dealloc, (void *)forest_dealloc},
    {Py_tp_methods, forest_methods},
    {0, NULL},
};

static PyType_Spec forest_spec = {
    "serving.trees._kernel.Forest", sizeof(Forest), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, forest_slots,
};

static int kernel_exec(PyObject *module)
{
    static const struct {
        const char *name;
        long value;
    } NUMBERS[] = {{"MAX_WIDTH", MAX_WIDTH}, {"NONE", NONE}, {"SIGMOID", SIGMOID}, {"SOFTMAX", SOFTMAX}};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++)
        if (PyModule_AddIntConstant(module, NUMBERS[i].name, NUMBERS[i].value) < 0)
            return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &forest_spec, NULL);
    if (type == NULL)
        return -1;
    const int added = PyModule_AddObjectRef(module, "Forest", type);
    Py_DECREF(type);
    return added;
}

static PyModuleDef_Slot kernel_slots[] = {{Py_mod_exec, (void *)kernel_exec}, {0, NULL}};

static struct PyModuleDef kernel_module = {
    PyModuleDef_HEAD_INIT, "_kernel", "Scores of rows by trees.", 0, NULL, kernel_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&kernel_module); }
