#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/ref.h"

namespace tesselle::hal {

inline constexpr size_t kBufferAlignment = 64;

/// What an allocator holds, in bytes.
struct AllocatorStatistics {
  int64_t in_use = 0;
  int64_t cached = 0;
  int64_t peak_in_use = 0;
  /// How many blocks were asked for, ever.
  int64_t allocations = 0;
};

/// Host memory that is kept for reuse.
///
/// A program allocates the same sizes call after call, and fresh pages cost more to fault in than most kernels take to
/// run. Blocks are rounded up to four sizes per power of two (at most 25 % is wasted) and kept in a list per size until
/// `cache_limit` bytes are idle.
class Allocator : public Object {
 public:
  explicit Allocator(int64_t cache_limit);
  ~Allocator() override;

  /// At least `size` bytes, 64-byte aligned, contents undefined. Sets `capacity`, which free() wants back.
  /// Fails with an execution error when there is not that much memory.
  std::byte* allocate(int64_t size, int64_t& capacity);
  void free(std::byte* data, int64_t capacity);

  /// Gives idle blocks back to the system.
  void trim();
  AllocatorStatistics statistics() const;

 private:
  static constexpr int kClassCount = 4 * 48;

  mutable std::mutex mutex_;
  std::array<std::vector<std::byte*>, kClassCount> idle_;
  AllocatorStatistics statistics_;
  const int64_t cache_limit_;
};

}  // namespace tesselle::hal
