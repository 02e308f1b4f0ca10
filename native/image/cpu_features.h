#pragma once

#include <set>
#include <string>

namespace tesselle::image {

/// What this processor and its operating system can do, by LLVM's names ("avx2", "fma", "avx512f", …).
const std::set<std::string>& cpu_features();

}  // namespace tesselle::image
