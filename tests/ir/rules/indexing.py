"""Gather, scatter, dynamic slices."""

from __future__ import annotations

from tests.ir.rules.forms import PREDICATE, ROWS, gather, generic, region, scatter

CASES: list[tuple[str, str]] = [
    # ------------------------------------------------------------------------------------------ indexing
    ("dynamic_slice.C2", generic("dynamic_slice", "a i", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C2", generic("dynamic_slice", "a i i", "slice_sizes = array<i64: 1>", "a")),
    ("dynamic_slice.C3", generic("dynamic_slice", "a i j", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C3", generic("dynamic_slice", "a x2 x2", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C4", generic("dynamic_slice", "a i i", "slice_sizes = array<i64: 1, 4>", "a")),
    ("dynamic_update_slice.C2", generic("dynamic_update_slice", "a h i i", "", "a")),
    ("dynamic_update_slice.C3", generic("dynamic_update_slice", "a v i i", "", "a")),
    ("dynamic_update_slice.C4", generic("dynamic_update_slice", "a a i", "", "a")),
    ("dynamic_update_slice.C5", generic("dynamic_update_slice", "a a i j", "", "a")),
    ("dynamic_update_slice.C6", generic("dynamic_update_slice", "a m i i", "", "a")),
    ("dynamic_update_slice.I2", generic("dynamic_update_slice", "a tok i i", "", "a")),
    *(
        (f"gather.{rule}", gather(numbers, sizes, operands))
        for rule, numbers, sizes, operands in (
            ("C1", "offset_dims = [1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            (
                "C2",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 3",
                "1, 4",
                "m idx",
            ),
            (
                "C3",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0, 1], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            ("C4", "offset_dims = [1, 1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            ("C4", "offset_dims = [2, 1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            (
                "C5",
                "offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            ("C6", "collapsed_slice_dims = [0, 0], start_index_map = [0], index_vector_dim = 1", "1, 1", "m idx"),
            ("C7", "collapsed_slice_dims = [1, 0], start_index_map = [0], index_vector_dim = 1", "1, 1", "m idx"),
            (
                "C8",
                "offset_dims = [1], collapsed_slice_dims = [2], start_index_map = [0], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            (
                "C9",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "2, 4",
                "m idx",
            ),
            (
                "C10",
                "offset_dims = [2], operand_batching_dims = [1, 0], start_indices_batching_dims = [0, 1],"
                " start_index_map = [2], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C11",
                "offset_dims = [2, 3], operand_batching_dims = [3], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C12",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "2, 1, 4",
                "bat idx2",
            ),
            (
                "C13",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0, 0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C14",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [3],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C15",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [2],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C16",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C17",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat bid",
            ),
            (
                "C18",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [0], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C19",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [2], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            (
                "C20",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1",
                "m idx",
            ),
            (
                "C21",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1, 5",
                "m idx",
            ),
            ("I2", "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0]", "1, 4", "m a"),
        )
    ),
    (
        "dynamic_gather.C22",
        generic(
            "dynamic_gather",
            "m idx x2",
            "dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],"
            " start_index_map = [0], index_vector_dim = 1>",
            "tensor<6x4xf32>",
        ),
    ),
    (
        "dynamic_gather.C23",
        generic(
            "dynamic_gather",
            "m idx x2",
            "dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],"
            " start_index_map = [0], index_vector_dim = 1>",
            "tensor<5x4xf16>",
        ),
    ),
    (
        "dynamic_gather.I3",
        generic("dynamic_gather", "m idx x3", "dimension_numbers = #stablehlo.gather<offset_dims = [1]>", "m"),
    ),
    (
        "dynamic_gather.I2",
        generic("dynamic_gather", "m a x2", "dimension_numbers = #stablehlo.gather<offset_dims = [1]>", "m"),
    ),
    ("scatter.C1", scatter(ROWS, "m a idx up up", region("f32 f32 f32 f32", "q0 q1"), "m a")),
    ("scatter.C2", scatter(ROWS.replace("[0], scatter", "[0, 1], scatter"))),
    ("scatter.C3", scatter(ROWS, "m m idx up m", region("f32 f32 f32 f32", "q0 q1"), "m m")),
    ("scatter.C4", scatter(ROWS, "m idx m")),
    ("scatter.C4", scatter(ROWS, "t idx up")),
    ("scatter.C5", scatter(ROWS, "m idx")),
    ("scatter.C6", scatter(ROWS, "n idx up")),
    ("scatter.C7", scatter("update_window_dims = [1, 1], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C8", scatter(ROWS.replace("update_window_dims = [1]", "update_window_dims = [2]"))),
    ("scatter.C9", scatter("inserted_window_dims = [0, 0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C10", scatter("inserted_window_dims = [1, 0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C11", scatter(ROWS.replace("inserted_window_dims = [0]", "inserted_window_dims = [2]"))),
    (
        "scatter.C12",
        scatter(
            "update_window_dims = [1], input_batching_dims = [1, 0], scatter_indices_batching_dims = [0, 1],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C13",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [3], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C14",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0, 0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C15",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [3],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C16",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [2],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C17",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C18",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat bid up",
        ),
    ),
    ("scatter.C19", scatter(ROWS.replace("operand_dims = [0]", "operand_dims = [0, 1]"))),
    (
        "scatter.C20",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [0], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    ("scatter.C21", scatter(ROWS.replace("operand_dims = [0]", "operand_dims = [2]"))),
    ("scatter.C22", scatter(ROWS.replace("index_vector_dim = 1", "index_vector_dim = 3"))),
    ("scatter.C23", scatter(ROWS, body=PREDICATE)),
    ("scatter.I1", scatter(ROWS, "tok idx up")),
    ("scatter.I2", scatter(ROWS, "m a up")),
    ("scatter.I3", scatter(ROWS, "m idx tok")),
    ("torch_index_select.C1", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 0 : i64", "n")),
    ("torch_index_select.C2", generic("torch_index_select", "m x3", "dim = 2 : i64, batch_dims = 0 : i64", "m")),
    ("torch_index_select.C3", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 1 : i64", "m")),
    ("torch_index_select.C4", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 0 : i64", "m")),
    ("torch_index_select.I2", generic("torch_index_select", "m a", "dim = 0 : i64, batch_dims = 0 : i64", "m")),
]
