// One replica: tuples, tokens, channels and collectives; values by hand.

func.func @collect() {
  %x = stablehlo.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = "stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %f = "stablehlo.async_start"(%0) ({
    ^bb0(%a: tensor<2x2xf32>):
    %g = "stablehlo.all_reduce"(%a) ({
      ^bb0(%p: tensor<f32>, %q: tensor<f32>):
        %s = stablehlo.add %p, %q : tensor<f32>
        stablehlo.return %s : tensor<f32>
     }) {replica_groups = dense<0> : tensor<1x1xi64>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
    stablehlo.return %g : tensor<2x2xf32>
  }) : (tensor<2x2xf32>) -> !stablehlo.future<tensor<2x2xf32>>
  %1 = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<2x2xf32>>) -> tensor<2x2xf32>
  %2 = "stablehlo.collective_permute"(%1) {source_target_pairs = dense<> : tensor<0x2xi64>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_eq %1, %x : tensor<2x2xf32>
  check.expect_eq_const %2, dense<0.0> : tensor<2x2xf32>
  %r = stablehlo.replica_id : tensor<ui32>
  check.expect_eq_const %r, dense<0> : tensor<ui32>
  func.return
}
func.func @tuples() {
  %x = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %i = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %tok = stablehlo.create_token : !stablehlo.token
  %in = "stablehlo.tuple"(%x, %tok) : (tensor<2xf32>, !stablehlo.token) -> tuple<tensor<2xf32>, !stablehlo.token>
  %t = "stablehlo.tuple"(%i, %in) : (tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>) -> tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>
  %w = "stablehlo.while"(%t) ({
    ^bb0(%a: tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>):
    %c = stablehlo.get_tuple_element %a[0] : (tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>) -> tensor<i32>
    %p = stablehlo.compare LT, %c, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
    ^bb0(%a: tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>):
    %c = stablehlo.get_tuple_element %a[0] : (tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>) -> tensor<i32>
    %s = stablehlo.get_tuple_element %a[1] : (tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>) -> tuple<tensor<2xf32>, !stablehlo.token>
    %v = stablehlo.get_tuple_element %s[0] : (tuple<tensor<2xf32>, !stablehlo.token>) -> tensor<2xf32>
    %k = stablehlo.get_tuple_element %s[1] : (tuple<tensor<2xf32>, !stablehlo.token>) -> !stablehlo.token
    %v2 = stablehlo.add %v, %v : tensor<2xf32>
    %c2 = stablehlo.add %c, %one : tensor<i32>
    %in2 = "stablehlo.tuple"(%v2, %k) : (tensor<2xf32>, !stablehlo.token) -> tuple<tensor<2xf32>, !stablehlo.token>
    %t2 = "stablehlo.tuple"(%c2, %in2) : (tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>) -> tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>
    stablehlo.return %t2 : tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>
  }) : (tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>) -> tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>
  %b = stablehlo.optimization_barrier %w : tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>
  %s = stablehlo.get_tuple_element %b[1] : (tuple<tensor<i32>, tuple<tensor<2xf32>, !stablehlo.token>>) -> tuple<tensor<2xf32>, !stablehlo.token>
  %v = stablehlo.get_tuple_element %s[0] : (tuple<tensor<2xf32>, !stablehlo.token>) -> tensor<2xf32>
  check.expect_eq_const %v, dense<[8.0, 16.0]> : tensor<2xf32>
  func.return
}
func.func @channel() -> !stablehlo.token {
  %x = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %tok = stablehlo.create_token : !stablehlo.token
  %t1 = "stablehlo.send"(%x, %tok) {channel_handle = #stablehlo.channel_handle<handle = 5, type = 1>} : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  %r:2 = "stablehlo.recv"(%t1) {channel_handle = #stablehlo.channel_handle<handle = 5, type = 1>} : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)
  %t2 = "stablehlo.outfeed"(%r#0, %r#1) : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  %t3 = stablehlo.after_all %t1, %t2 : !stablehlo.token
  check.expect_eq_const %r#0, dense<[1.0, 2.0]> : tensor<2xf32>
  func.return %t3 : !stablehlo.token
}

func.func @probe() {
  %x = stablehlo.constant dense<[7.0, 8.5]> : tensor<2xbf16>
  %y = stablehlo.optimization_barrier %x : tensor<2xbf16>
  %z = interpreter.probe %y, probe_id = "a" : tensor<2xbf16>
  check.expect_serialized_eq %z, probe_id = "a", iteration = 1 : tensor<2xbf16>
  func.return
}

// What a loop gives is read by the host, behind the commands of the loop.
func.func @loop_before_host_call() {
  %x = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %i = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %w:2 = "stablehlo.while"(%i, %x) ({
  ^bb0(%a: tensor<i32>, %b: tensor<2xf32>):
    %p = stablehlo.compare LT, %a, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%a: tensor<i32>, %b: tensor<2xf32>):
    %v = stablehlo.add %b, %b : tensor<2xf32>
    %c = stablehlo.add %a, %one : tensor<i32>
    stablehlo.return %c, %v : tensor<i32>, tensor<2xf32>
  }) : (tensor<i32>, tensor<2xf32>) -> (tensor<i32>, tensor<2xf32>)
  check.expect_eq_const %w#1, dense<[8.0, 16.0]> : tensor<2xf32>
  func.return
}
