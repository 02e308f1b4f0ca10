// An input must not lie where the initial values do.
module {
  func.func @main(%arg0: tensor<ui8>, %arg1: tensor<1xui8>) -> tensor<ui8> {
    %0 = stablehlo.reduce(%arg1 init: %arg0) applies stablehlo.or across dimensions = [0] : (tensor<1xui8>, tensor<ui8>) -> tensor<ui8>
    %1 = stablehlo.reduce(%0 init: %arg0) applies stablehlo.xor across dimensions = [] : (tensor<ui8>, tensor<ui8>) -> tensor<ui8>
    return %1 : tensor<ui8>
  }
}
