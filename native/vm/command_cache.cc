#include "vm/command_cache.h"

#include <algorithm>
#include <utility>

namespace tesselle::vm {

Ref<hal::CommandBuffer> CommandCache::find(std::span<const int64_t> key) {
  const std::scoped_lock lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return std::ranges::equal(e.key, key); });
  if (found == entries_.end()) return nullptr;
  std::rotate(entries_.begin(), found, found + 1);
  return entries_.front().commands;
}

void CommandCache::keep(std::span<const int64_t> key, Ref<hal::CommandBuffer> commands) {
  Entry gone;  // ends outside the lock
  const std::scoped_lock lock(mutex_);
  // Two calls may have recorded for the same sizes at the same time: the later one stays.
  auto place =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return std::ranges::equal(e.key, key); });
  if (place == entries_.end()) {
    if (entries_.size() < kCapacity) entries_.emplace_back();
    place = entries_.end() - 1;
  }
  gone = std::exchange(*place, Entry{{key.begin(), key.end()}, std::move(commands)});
  std::rotate(entries_.begin(), place, place + 1);
}

}  // namespace tesselle::vm
