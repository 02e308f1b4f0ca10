"""Control flow, tokens, collectives."""

from __future__ import annotations

from tests.ir.rules.forms import ADD, PREDICATE, generic, region

FUTURE = "!stablehlo.future<tensor<f32>>"

CASES: list[tuple[str, str]] = [
    # ------------------------------------------------------------------------------------------ control flow
    ("while.C1", generic("while", "s", "", "s", f"{region('f32', 'q0')}, {region('f32', 'q0')}")),
    ("while.C2", generic("while", "s", "", "s", f"{region('f32', 'p0', 'i1')}, {region('f32', 'p0', 'i1')}")),
    ("while.C2", generic("while", "s", "", "s", f"{region('f32', 'p0', 'i1')}, {{}}")),
    ("if.I1", generic("if", "s", "", "s", f"{region('', 's')}, {region('', 's')}")),
    ("if.C1", generic("if", "p0", "", "s", f"{region('f32', 'q0')}, {region('', 's')}")),
    ("if.C2", generic("if", "p0", "", "s", f"{region('', 's')}, {region('', 'p0', 'i1')}")),
    ("if.C3", generic("if", "p0", "", "i", f"{region('', 's')}, {region('', 's')}")),
    ("case.I1", generic("case", "s", "", "s", region("", "s"))),
    ("case.C1", generic("case", "i", "", "s")),
    ("case.C2", generic("case", "i", "", "s", region("f32", "s"))),
    ("case.C3", generic("case", "i", "", "s", f"{region('', 's')}, {region('', 'p0', 'i1')}")),
    ("case.C4", generic("case", "i", "", "i", region("", "s"))),
    ("get_tuple_element.I1", generic("get_tuple_element", "s", "index = 0 : i32", "s")),
    ("get_tuple_element.C1", generic("get_tuple_element", "tup", "index = 1 : i32", "s")),
    ("custom_call.C1", generic("custom_call", "s", 'call_target_name = ""', "s")),
    ("custom_call.C2", generic("custom_call", "s", 'call_target_name = "f", operand_layouts = []', "s")),
    (
        "custom_call.C2",
        generic("custom_call", "s", 'call_target_name = "f", operand_layouts = [], result_layouts = []', "s"),
    ),
    ("composite.C1", generic("composite", "s", 'name = "x", decomposition = @callee', "s")),
    ("composite.C2", generic("composite", "s", 'name = "x.y", decomposition = @nobody', "s")),
    ("composite.C3", generic("composite", "a", 'name = "x.y", decomposition = @callee', "s")),
    ("composite.C4", generic("composite", "s", 'name = "x.y", decomposition = @callee', "a")),
    # ------------------------------------------------------------------------------------------ tokens, collectives
    ("async_start.C1", generic("async_start", "a", "", FUTURE, region("f32", "q0"))),
    ("async_start.C2", generic("async_start", "s", "", FUTURE, region("f32", "q0 q0"))),
    ("async_start.C2", generic("async_start", "s", "", "s", region("f32", "q0"))),
    ("async_done.I1", generic("async_done", "s", "", "s")),
    ("async_done.C1", generic("async_done", "fut", "", "i")),
    ("cross-replica-sum.C2", generic("cross-replica-sum", "a", "replica_groups = dense<-2> : tensor<1x1xi64>", "a")),
    ("cross-replica-sum.C1", generic("cross-replica-sum", "a", "replica_groups = dense<0> : tensor<1x2xi64>", "a")),
    ("after_all.I1", generic("after_all", "s", "", "tok")),
    ("infeed.I1", generic("infeed", "s", "", "tok")),
    ("infeed.C1", generic("infeed", "tok", "", "")),
    ("infeed.C2", generic("infeed", "tok", "", "tok tok")),
    ("infeed.C3", generic("infeed", "tok", "", "s")),
    ("outfeed.I2", generic("outfeed", "s s", "", "tok")),
    ("send.I2", generic("send", "s s", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "tok")),
    ("recv.I1", generic("recv", "s", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "tok")),
    ("send.C1", generic("send", "s tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>", "tok")),
    ("recv.C1", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>", "tok")),
    ("recv.C3", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "tok tok")),
    ("recv.C2", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "")),
    ("recv.C4", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "s")),
    *(
        (
            f"all_gather.{rule}",
            generic(
                "all_gather",
                operands,
                f"all_gather_dim = {dim} : i64, replica_groups = dense<{groups}> : tensor<1x2xi64>",
                result,
            ),
        )
        for rule, operands, dim, groups, result in (
            ("C1", "a", 2, "[[0, 1]]", "a"),
            ("C2", "a", 1, "[[0, 0]]", "a"),
            ("C4", "a", 1, "[[0, -2]]", "a"),
            ("C6", "t", 0, "[[0, 1]]", "tensor<4x2xf32>"),
            ("C6", "a", 1, "[[0, 1]]", "m"),
            ("C6", "a", 1, "[[0, 1]]", "n"),
        )
    ),
    (
        "all_reduce.C1",
        generic("all_reduce", "a", "replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>", "a", ADD),
    ),
    (
        "all_reduce.C5",
        generic("all_reduce", "a", "replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>", "a", PREDICATE),
    ),
    ("all_reduce.I1", generic("all_reduce", "tok", "replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>", "a", ADD)),
    *(
        (
            f"all_to_all.{rule}",
            generic(
                "all_to_all",
                "m",
                f"split_dimension = {split} : i64, concat_dimension = {concat} : i64, split_count = {count} : i64,"
                f" replica_groups = dense<{groups}> : tensor<1x2xi64>",
                "m",
            ),
        )
        for rule, split, concat, count, groups in (
            ("C1", 2, 0, 2, "[[0, 1]]"),
            ("C2", 0, 1, 3, "[[0, 1]]"),
            ("C3", 0, 2, 2, "[[0, 1]]"),
            ("C4", 0, 1, 0, "[[0, 1]]"),
            ("C5", 0, 1, 2, "[[0, 0]]"),
            ("C7", 0, 1, 2, "[[0, -2]]"),
        )
    ),
    (
        "all_reduce.C3",
        generic("all_reduce", "a", "replica_groups = dense<[[0, -2]]> : tensor<1x2xi64>", "a", ADD),
    ),
    (
        "all_reduce.C4",
        generic(
            "all_reduce", "a", "replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, use_global_device_ids", "a", ADD
        ),
    ),
    (
        "all_gather.C5",
        generic(
            "all_gather",
            "a",
            "all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, use_global_device_ids",
            "m",
        ),
    ),
    (
        "collective_broadcast.C2",
        generic("collective_broadcast", "a", "replica_groups = dense<[[0, -2]]> : tensor<1x2xi64>", "a"),
    ),
    (
        "collective_broadcast.C1",
        generic("collective_broadcast", "a", "replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>", "a"),
    ),
    *(
        (
            f"collective_permute.{rule}",
            generic("collective_permute", "a", f"source_target_pairs = dense<{pairs}> : tensor<2x2xi64>", "a"),
        )
        for rule, pairs in (("C2", "[[0, 1], [0, 2]]"), ("C3", "[[0, 1], [1, 1]]"), ("C4", "[[0, 1], [-1, 2]]"))
    ),
    (
        "reduce_scatter.C1",
        generic(
            "reduce_scatter",
            "t",
            "scatter_dimension = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>",
            "tensor<1x2xf32>",
            ADD,
        ),
    ),
    (
        "reduce_scatter.C6",
        generic(
            "reduce_scatter",
            "m",
            "scatter_dimension = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, use_global_device_ids",
            "tensor<2x4xf32>",
            ADD,
        ),
    ),
    *(
        (
            f"reduce_scatter.{rule}",
            generic(
                "reduce_scatter",
                "m",
                f"scatter_dimension = {dim} : i64, replica_groups = dense<{groups}> : tensor<1x2xi64>",
                result,
                body,
            ),
        )
        for rule, dim, groups, result, body in (
            ("C2", 2, "[[0, 1]]", "m", ADD),
            ("C3", 0, "[[0, 0]]", "m", ADD),
            ("C7", 0, "[[0, 1]]", "m", PREDICATE),
            ("C5", 0, "[[0, -2]]", "tensor<2x4xf32>", ADD),
            ("C8", 0, "[[0, 1]]", "v", ADD),
            ("C8", 0, "[[0, 1]]", "tensor<3x4xf32>", ADD),
            ("C9", 0, "[[0, 1]]", "tensor<2x4xi32>", ADD),
            ("C8", 0, "[[0, 1]]", "tensor<2x3xf32>", ADD),
        )
    ),
]
