// Several processes run in the reference interpreter; values by hand from the sections of the specification.

func.func private @gather_reduce_scatter(%x: tensor<2x2xf32>) -> (tensor<4x2xf32>, tensor<2x2xf32>, tensor<1x2xf32>, tensor<ui32>) {
  %0 = "stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<2x2xf32>) -> tensor<4x2xf32>
  %1 = "stablehlo.all_reduce"(%x) ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %s = stablehlo.maximum %p, %q : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %2 = "stablehlo.reduce_scatter"(%x) ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %s = stablehlo.add %p, %q : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) {scatter_dimension = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<2x2xf32>) -> tensor<1x2xf32>
  %r = stablehlo.replica_id : tensor<ui32>
  func.return %0, %1, %2, %r : tensor<4x2xf32>, tensor<2x2xf32>, tensor<1x2xf32>, tensor<ui32>
}
func.func @replicas() {
  %x = stablehlo.constant dense<[[1.0, 20.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %y = stablehlo.constant dense<[[10.0, 2.0], [30.0, 40.0]]> : tensor<2x2xf32>
  %r:8 = "interpreter.run_parallel"(%x, %y) {programs = [[@gather_reduce_scatter], [@gather_reduce_scatter]]} : (tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<4x2xf32>, tensor<2x2xf32>, tensor<1x2xf32>, tensor<ui32>, tensor<4x2xf32>, tensor<2x2xf32>, tensor<1x2xf32>, tensor<ui32>)
  check.expect_eq_const %r#0, dense<[[1.0, 20.0], [3.0, 4.0], [10.0, 2.0], [30.0, 40.0]]> : tensor<4x2xf32>
  check.expect_eq_const %r#1, dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  check.expect_eq_const %r#2, dense<[[11.0, 22.0]]> : tensor<1x2xf32>
  check.expect_eq_const %r#6, dense<[[33.0, 44.0]]> : tensor<1x2xf32>
  check.expect_eq_const %r#3, dense<0> : tensor<ui32>
  check.expect_eq_const %r#7, dense<1> : tensor<ui32>
  func.return
}

// -----

// A grid of two replicas with two partitions: the groups of every mode (spec, Parallel execution).
func.func private @modes(%x: tensor<i32>) -> (tensor<2xi32>, tensor<4xi32>, tensor<2xi32>) {
  %v = stablehlo.reshape %x : (tensor<i32>) -> tensor<1xi32>
  %0 = "stablehlo.all_gather"(%v) {all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<1xi32>) -> tensor<2xi32>
  %1 = "stablehlo.all_gather"(%v) {all_gather_dim = 0 : i64, replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (tensor<1xi32>) -> tensor<4xi32>
  %2 = "stablehlo.all_gather"(%v) {all_gather_dim = 0 : i64, replica_groups = dense<[[0, 3], [1, 2]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, use_global_device_ids} : (tensor<1xi32>) -> tensor<2xi32>
  func.return %0, %1, %2 : tensor<2xi32>, tensor<4xi32>, tensor<2xi32>
}
func.func @process_groups() {
  %a = stablehlo.constant dense<0> : tensor<i32>
  %b = stablehlo.constant dense<10> : tensor<i32>
  %c = stablehlo.constant dense<20> : tensor<i32>
  %d = stablehlo.constant dense<30> : tensor<i32>
  %r:12 = "interpreter.run_parallel"(%a, %b, %c, %d) {programs = [[@modes, @modes], [@modes, @modes]]} : (tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> (tensor<2xi32>, tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<4xi32>, tensor<2xi32>)
  check.expect_eq_const %r#0, dense<[0, 20]> : tensor<2xi32>
  check.expect_eq_const %r#3, dense<[10, 30]> : tensor<2xi32>
  check.expect_eq_const %r#1, dense<[20, 0, 30, 10]> : tensor<4xi32>
  check.expect_eq_const %r#2, dense<[0, 30]> : tensor<2xi32>
  check.expect_eq_const %r#5, dense<[10, 20]> : tensor<2xi32>
  func.return
}

// -----

func.func private @moves(%x: tensor<2x2xi32>) -> (tensor<1x4xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<ui32>) {
  %0 = "stablehlo.all_to_all"(%x) {split_dimension = 0 : i64, concat_dimension = 1 : i64, split_count = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (tensor<2x2xi32>) -> tensor<1x4xi32>
  %1 = "stablehlo.collective_permute"(%x) {source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>} : (tensor<2x2xi32>) -> tensor<2x2xi32>
  %2 = "stablehlo.collective_broadcast"(%x) {replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 3, type = 1>} : (tensor<2x2xi32>) -> tensor<2x2xi32>
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%y: tensor<2x2xi32>):
    %g = "stablehlo.collective_permute"(%y) {source_target_pairs = dense<[[0, 1], [1, 0]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 4, type = 1>} : (tensor<2x2xi32>) -> tensor<2x2xi32>
    stablehlo.return %g : tensor<2x2xi32>
  }) : (tensor<2x2xi32>) -> !stablehlo.future<tensor<2x2xi32>>
  %3 = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<2x2xi32>>) -> tensor<2x2xi32>
  %p = stablehlo.partition_id : tensor<ui32>
  func.return %0, %1, %2, %3, %p : tensor<1x4xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<ui32>
}
func.func @partitions() {
  %x = stablehlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %y = stablehlo.constant dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  %r:10 = "interpreter.run_parallel"(%x, %y) {programs = [[@moves, @moves]]} : (tensor<2x2xi32>, tensor<2x2xi32>) -> (tensor<1x4xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<ui32>, tensor<1x4xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<2x2xi32>, tensor<ui32>)
  check.expect_eq_const %r#0, dense<[[1, 2, 5, 6]]> : tensor<1x4xi32>
  check.expect_eq_const %r#5, dense<[[3, 4, 7, 8]]> : tensor<1x4xi32>
  check.expect_eq_const %r#1, dense<0> : tensor<2x2xi32>
  check.expect_eq_const %r#6, dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  check.expect_eq_const %r#2, dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  check.expect_eq_const %r#7, dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  check.expect_eq_const %r#3, dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  check.expect_eq_const %r#9, dense<1> : tensor<ui32>
  func.return
}

// -----

func.func private @first() -> tensor<2xi32> {
  %x = stablehlo.constant dense<[7, 8]> : tensor<2xi32>
  func.return %x : tensor<2xi32>
}
func.func private @reads_and_sends() -> !stablehlo.token {
  %t = stablehlo.create_token : !stablehlo.token
  %r:2 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<2xi32>, !stablehlo.token)
  %o = "stablehlo.outfeed"(%r#0, %r#1) : (tensor<2xi32>, !stablehlo.token) -> !stablehlo.token
  %s = "stablehlo.send"(%r#0, %o) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (tensor<2xi32>, !stablehlo.token) -> !stablehlo.token
  func.return %s : !stablehlo.token
}
func.func private @receives() -> tensor<2xi32> {
  %t = stablehlo.create_token : !stablehlo.token
  %r:2 = "stablehlo.recv"(%t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (!stablehlo.token) -> (tensor<2xi32>, !stablehlo.token)
  func.return %r#0 : tensor<2xi32>
}
func.func @channels() {
  %r:2 = "interpreter.run_parallel"() {infeed = [@first], programs = [[@reads_and_sends, @receives]]} : () -> (!stablehlo.token, tensor<2xi32>)
  check.expect_eq_const %r#1, dense<[7, 8]> : tensor<2xi32>
  func.return
}
