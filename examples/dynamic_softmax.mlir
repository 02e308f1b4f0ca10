// A softmax over rows, whatever their number and length: `?` is a dimension that the call decides.
//
//   tesselle run examples/dynamic_softmax.mlir --input 2x3xf32=1,2,3,4,5,6
//   tesselle run examples/dynamic_softmax.mlir --input 1x5xf32=0
module @dynamic_softmax {
  func.func public @main(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %minus_infinity = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %rows = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x?xf32>) -> tensor<i32>
    %columns = stablehlo.get_dimension_size %x, dim = 1 : (tensor<?x?xf32>) -> tensor<i32>
    %0 = stablehlo.reshape %rows : (tensor<i32>) -> tensor<1xi32>
    %1 = stablehlo.reshape %columns : (tensor<i32>) -> tensor<1xi32>
    %shape = stablehlo.concatenate %0, %1, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>

    %2 = stablehlo.reduce(%x init: %minus_infinity) applies stablehlo.maximum across dimensions = [1] : (tensor<?x?xf32>, tensor<f32>) -> tensor<?xf32>
    %3 = stablehlo.dynamic_broadcast_in_dim %2, %shape, dims = [0] : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>
    %4 = stablehlo.subtract %x, %3 : tensor<?x?xf32>
    %5 = stablehlo.exponential %4 : tensor<?x?xf32>
    %6 = stablehlo.reduce(%5 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<?x?xf32>, tensor<f32>) -> tensor<?xf32>
    %7 = stablehlo.dynamic_broadcast_in_dim %6, %shape, dims = [0] : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>
    %y = stablehlo.divide %5, %7 : tensor<?x?xf32>
    return %y : tensor<?x?xf32>
  }
}
