#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/ref.h"
#include "hal/command_buffer.h"

namespace tesselle::vm {

/// Command buffers that a session has recorded, by the sizes that they were recorded for: a program of dynamic shapes
/// records once for each shape that it sees, as long as it does not see too many.
class CommandCache : public Object {
 public:
  /// More than these are not kept: the one that was used least recently goes.
  static constexpr size_t kCapacity = 16;

  CommandCache() : Object(ObjectKind::kCommandCache) {}

  /// The command buffer that was kept under `key`, or null.
  Ref<hal::CommandBuffer> find(std::span<const int64_t> key);
  void keep(std::span<const int64_t> key, Ref<hal::CommandBuffer> commands);

 private:
  struct Entry {
    std::vector<int64_t> key;
    Ref<hal::CommandBuffer> commands;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  // by last use, the latest first
};

}  // namespace tesselle::vm
