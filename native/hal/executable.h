#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/ref.h"

namespace tesselle::hal {

/// A kernel: see the ABI in docs/architecture.
using KernelFunction = void (*)(void* const* bindings, const int64_t* push, int64_t wx, int64_t wy, int64_t wz,
                                void* local);

/// One kernel of an executable.
struct Entry {
  KernelFunction function = nullptr;
  int64_t local_memory_bytes = 0;
  uint32_t binding_count = 0;
  uint32_t push_count = 0;
  /// What one workgroup took lately, in ticks; 0 before the first run. Decides whether a grid is worth sharing out.
  mutable std::atomic<float> workgroup_ticks{0};

  Entry() = default;
  Entry(Entry&& other) noexcept
      : function(other.function),
        local_memory_bytes(other.local_memory_bytes),
        binding_count(other.binding_count),
        push_count(other.push_count) {}
};

/// Kernels in memory, ready to run. `index` is what profiles call it by.
class Executable : public Object {
 public:
  const std::vector<Entry>& entries() const { return entries_; }
  int index() const { return index_; }

 protected:
  explicit Executable(int index) : Object(ObjectKind::kExecutable), index_(index) {}
  std::vector<Entry> entries_;

 private:
  const int index_;
};

}  // namespace tesselle::hal
