#include "hal/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace tesselle::hal {
namespace {

constexpr int64_t kMinimum = 64;
// From here on blocks come from mmap, aligned for huge pages.
constexpr int64_t kLarge = int64_t{2} << 20;

int64_t physical_memory() {
  static const int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  return bytes;
}

/// The size class of `size` >= kMinimum: four steps between powers of two.
int class_of(int64_t size) {
  const auto value = static_cast<uint64_t>(size - 1);
  const int log2 = 63 - std::countl_zero(value | 1);  // value in [2^log2, 2^(log2+1))
  const int step = static_cast<int>((value >> (log2 - 2)) & 3);
  return (log2 - 5) * 4 + step;
}

int64_t capacity_of(int size_class) {
  const int log2 = size_class / 4 + 5;
  const int step = size_class % 4;
  return (int64_t{1} << (log2 - 2)) * (5 + step);
}

std::byte* map_large(int64_t capacity) {
  // Over-map and cut: mmap promises page alignment only.
  const auto padded = static_cast<size_t>(capacity + kLarge);
  void* raw = mmap(nullptr, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  const auto before = static_cast<size_t>(-reinterpret_cast<uintptr_t>(raw)) % static_cast<size_t>(kLarge);
  const size_t after = padded - before - static_cast<size_t>(capacity);
  std::byte* data = static_cast<std::byte*>(raw) + before;
  if (before > 0) munmap(raw, before);
  if (after > 0) munmap(data + capacity, after);
#if defined(MADV_HUGEPAGE)
  madvise(data, static_cast<size_t>(capacity), MADV_HUGEPAGE);
#endif
  return data;
}

std::byte* system_allocate(int64_t capacity) {
  if (capacity >= kLarge) return map_large(capacity);
  return static_cast<std::byte*>(std::aligned_alloc(kBufferAlignment, static_cast<size_t>(capacity)));
}

void system_free(std::byte* data, int64_t capacity) {
  if (capacity >= kLarge) {
    munmap(data, static_cast<size_t>(capacity));
  } else {
    std::free(data);
  }
}

/// Capacity for a request; multiples of 64 below kLarge, of 4096 above.
int64_t round_up(int64_t size) {
  const int64_t unit = size >= kLarge ? 4096 : kMinimum;
  return (size + unit - 1) / unit * unit;
}

}  // namespace

Allocator::Allocator(int64_t cache_limit) : Object(ObjectKind::kDevice), cache_limit_(cache_limit) {}

Allocator::~Allocator() { trim(); }

std::byte* Allocator::allocate(int64_t size, int64_t& capacity) {
  if (size < 0 || size > physical_memory()) {
    fail_execution("cannot allocate a buffer of " + std::to_string(size) + " bytes");
  }
  capacity = round_up(capacity_of(class_of(std::max(size, kMinimum))));
  const int size_class = class_of(capacity);  // several classes below 256 bytes round to one capacity
  {
    const std::scoped_lock lock(mutex_);
    statistics_.in_use += capacity;
    ++statistics_.allocations;
    statistics_.peak_in_use = std::max(statistics_.peak_in_use, statistics_.in_use);
    auto& idle = idle_[static_cast<size_t>(size_class)];
    if (!idle.empty()) {
      std::byte* data = idle.back();
      idle.pop_back();
      statistics_.cached -= capacity;
      return data;
    }
  }
  std::byte* data = system_allocate(capacity);
  if (!data) {
    trim();
    data = system_allocate(capacity);
  }
  if (!data) {
    const std::scoped_lock lock(mutex_);
    statistics_.in_use -= capacity;
    fail_execution("out of memory: cannot allocate a buffer of " + std::to_string(size) + " bytes");
  }
  return data;
}

void Allocator::free(std::byte* data, int64_t capacity) {
  {
    const std::scoped_lock lock(mutex_);
    statistics_.in_use -= capacity;
    if (statistics_.cached + capacity <= cache_limit_) {
      idle_[static_cast<size_t>(class_of(capacity))].push_back(data);
      statistics_.cached += capacity;
      return;
    }
  }
  system_free(data, capacity);
}

void Allocator::trim() {
  const std::scoped_lock lock(mutex_);
  for (int i = 0; i < kClassCount; ++i) {
    auto& idle = idle_[static_cast<size_t>(i)];
    for (std::byte* data : idle) system_free(data, round_up(capacity_of(i)));
    idle.clear();
  }
  statistics_.cached = 0;
}

AllocatorStatistics Allocator::statistics() const {
  const std::scoped_lock lock(mutex_);
  return statistics_;
}

}  // namespace tesselle::hal
